"""Paths of the command line: the results folder, and errors about what an argument says."""

from __future__ import annotations

import os
from pathlib import Path

from automl.errors import ConfigurationError
from automl.regular_file import followed
from automl.tracking.mlflow.uri import PLAIN_PATH, names_another_file


def absolute(path: Path) -> Path:
    """Return an absolute path without ``..``; links in other paths stay."""
    path = path.expanduser().absolute()
    return followed(path) if ".." in path.parts else path


def wrong_argument(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    """Return the error about one thing that the command line says."""
    return ConfigurationError.single("the command line", where=where, found=found, expected=expected, fix=fix)


def results_root(given: Path | None) -> Path:
    """Return the results folder, absolute: the option, AUTOML_RESULTS, or `results/` here.

    Raises:
        ConfigurationError: its path is no UTF-8, which neither JSON files nor MLflow can hold, or MLflow would take
            that of its sqlite file for another.
    """
    root = absolute(Path(given or os.environ.get("AUTOML_RESULTS") or "results"))
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        fix = "choose another folder, or a locale of UTF-8"
        raise wrong_argument("--results", repr(str(root)), "a path in UTF-8", fix) from error
    if names_another_file(str(root)):
        raise wrong_argument("--results", str(root), PLAIN_PATH, "choose another folder")
    return root
