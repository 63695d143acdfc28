"""Tests of automl.skill."""
