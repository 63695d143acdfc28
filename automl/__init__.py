"""Finds hyperparameters of models described by model skills, with Ray Tune, and records every trial in MLflow."""
