"""Tests of the samplers, the searcher and its journal."""
