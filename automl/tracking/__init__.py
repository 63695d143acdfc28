"""Trackers: the record of a study, in files and in MLflow."""
