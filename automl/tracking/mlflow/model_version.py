"""A model version to be registered, and how it is put into the registry exactly once.

A version is the study's best checkpoint with the spec that made it. Where a loader for the model is known, the artifact
is an MLflow `pyfunc` model: ``mlflow.pyfunc.load_model("models:/NAME@champion")`` works with the trainer's package
alone. Otherwise it is the plain folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

CHAMPION = "champion"
"""Alias of the version to use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionRequest:
    """A new version of a study's model.

    Attributes:
        name: Registered model: the study's name.
        files: Name inside the model folder -> file, relative to the study directory or absolute.
        tags: Of the version: epoch, trial, sha256, metric value, ...
        loader: Importable module with MLflow's ``_load_pyfunc(path)``; None where the files are recorded as they are.
        metadata: Of the model.
        later_tags: Of the version too, but no part of its identity: a value that is measured again replaces them.
    """

    name: str
    files: Mapping[str, str]
    tags: Mapping[str, str]
    loader: str | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    later_tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
