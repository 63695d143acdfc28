"""Tests of automl.space."""
