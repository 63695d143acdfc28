"""Reproducible comparisons with peers; never part of the timed tests."""
