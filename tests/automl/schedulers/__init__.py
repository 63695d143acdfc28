"""Tests of the stopping rules."""
