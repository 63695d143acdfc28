"""Loaders named for an architecture exist and are what MLflow calls."""

from __future__ import annotations

import importlib

import pytest

from automl.architectures.load import known_architectures, load_architecture


@pytest.mark.parametrize("name", [name for name in known_architectures() if load_architecture(name).model_loader])
def test_a_loader_can_be_imported_and_has_the_function_that_mlflow_calls(name: str) -> None:
    module = importlib.import_module(str(load_architecture(name).model_loader))

    assert callable(vars(module)["_load_pyfunc"])
