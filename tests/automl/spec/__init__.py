"""Tests of automl.spec."""
