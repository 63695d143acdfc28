"""Tests of automl.cluster."""
