"""Tracking URIs: the default one of a results root, and what can be read from one without MLflow."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_SQLITE = "sqlite:///"
ARTIFACTS = "mlflow-artifacts"
"""Folder of the artifacts, beside a sqlite file."""


def default_tracking_uri(results_root: Path) -> str:
    """Return the sqlite store of a results root: ``sqlite:///<root>/mlflow.db``, absolute."""
    return f"{_SQLITE}{results_root.absolute() / 'mlflow.db'}"


def sqlite_file(tracking_uri: str) -> Path | None:
    """Return the file of a sqlite URI; None for any other store."""
    return Path(tracking_uri.removeprefix(_SQLITE)) if tracking_uri.startswith(_SQLITE) else None


def absolute_uri(tracking_uri: str) -> str:
    """Return the URI as it is meant from everywhere: with the absolute path of a sqlite file."""
    file = sqlite_file(tracking_uri)
    return tracking_uri if file is None else f"{_SQLITE}{file.expanduser().absolute()}"


def artifact_root(tracking_uri: str, experiment: str) -> str | None:
    """Return where a new experiment of a sqlite store keeps its artifacts: a folder beside the database.

    None for a server, which decides itself.
    """
    file = sqlite_file(tracking_uri)
    if file is None:
        return None
    folder = re.sub(r"[^\w.-]+", "_", experiment)
    return (file.absolute().parent / ARTIFACTS / folder).as_uri()


def without_password(tracking_uri: str) -> str:
    """Return the URI as it may be shown: user and password left out."""
    parts = urlsplit(tracking_uri)
    if "@" not in parts.netloc:
        return tracking_uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
