"""Finds hyperparameters of models described by model skills, with Ray Tune, and records every trial in MLflow."""

from automl.reporting import report, should_stop

__all__ = ["report", "should_stop"]
