"""The record in MLflow: the only door to mlflow."""
