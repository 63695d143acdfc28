"""Finds hyperparameters of models described by model skills, with Ray Tune, and records every trial in MLflow.

`report` and `should_stop` are for training code and cost nothing to import; `Study`, `load` and `tune` run studies, and
raise `AutomlError`, whose subclasses in `automl.errors` say of which kind it is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from automl.reporting import report, should_stop

if TYPE_CHECKING:
    from automl.api import Best, Study, load, tune
    from automl.errors import AutomlError

__all__ = ["AutomlError", "Best", "Study", "load", "report", "should_stop", "tune"]
_LATER = {**dict.fromkeys(("Best", "Study", "load", "tune"), "automl.api"), "AutomlError": "automl.errors"}
"""Name -> its module, imported when it is asked for: training code imports this package for `report` alone."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'automl' has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
