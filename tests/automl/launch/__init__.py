"""Tests of `automl.launch`."""
