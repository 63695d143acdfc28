"""Tests of programs that no skill describes."""
