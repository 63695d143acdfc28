"""Finds hyperparameters of models described by model skills, with Ray Tune, and records every trial in MLflow.

`report` and `should_stop` are for training code and cost nothing to import; `Study`, `load` and `tune` run studies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.reporting import report, should_stop

if TYPE_CHECKING:
    from automl.api import Best, Study, load, tune

__all__ = ["Best", "Study", "load", "report", "should_stop", "tune"]
_OF_API = {"Best", "Study", "load", "tune"}


def __getattr__(name: str) -> object:
    if name not in _OF_API:
        raise AttributeError(f"module 'automl' has no attribute {name!r}")
    from automl import api  # noqa: PLC0415 - training code imports this module for `report` alone

    return getattr(api, name)
