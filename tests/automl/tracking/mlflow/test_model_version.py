"""Loaders named for an architecture exist and are what MLflow calls."""

from __future__ import annotations

import importlib

import pytest

from automl.tracking.mlflow.model_version import CHAMPION, LOADERS, ModelVersionRequest


@pytest.mark.parametrize("module", sorted(set(LOADERS.values())))
def test_a_loader_can_be_imported_and_has_the_function_that_mlflow_calls(module: str) -> None:
    assert callable(vars(importlib.import_module(module))["_load_pyfunc"])


def test_a_request_needs_no_metadata() -> None:
    request = ModelVersionRequest(name="demo", files={}, tags={})

    assert dict(request.metadata) == {}
    assert CHAMPION == "champion"
