"""Tests of the model and its weights."""
