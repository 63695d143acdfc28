"""Tracking URIs: the default one of a results root, and what can be read from one without MLflow."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from automl.errors import ConfigurationError

_SQLITE = "sqlite:///"
_SECRET = re.compile(r"pass|pwd|secret|tok|auth|cred|sig|(?<!ssl)key", re.IGNORECASE)
PLAIN_PATH = "a path without `?`, and without `%` before two digits or letters up to F"
ARTIFACTS = "mlflow-artifacts"
"""Folder of the artifacts, beside a sqlite file."""


def default_tracking_uri(results_root: Path) -> str:
    """Return the sqlite store of a results root: ``sqlite:///<root>/mlflow.db``, absolute."""
    return f"{_SQLITE}{results_root.absolute() / 'mlflow.db'}"


def sqlite_file(tracking_uri: str) -> Path | None:
    """Return the file of a sqlite URI; None for any other store."""
    return Path(tracking_uri.removeprefix(_SQLITE)) if tracking_uri.startswith(_SQLITE) else None


def names_another_file(path: str) -> bool:
    """Tell whether SQLAlchemy takes the path of a sqlite file for another: it decodes %41, and ends it at a ``?``."""
    return re.search(r"\?|%[0-9A-Fa-f]{2}", path) is not None


def store_address(tracking_uri: str) -> str:
    """Return the URI as MLflow may be given it.

    Raises:
        ConfigurationError: it is that of a sqlite file whose path `names_another_file`.
    """
    file = sqlite_file(tracking_uri)
    if file is not None and names_another_file(str(file)):
        raise ConfigurationError.single(
            "the record",
            where=tracking_uri,
            found="MLflow would take it for the address of another file, by its ? or %",
            expected=PLAIN_PATH,
            fix="rename that folder, or name a server by --tracking-uri",
        )
    return tracking_uri


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
    """Return the URI as it may be shown and kept: without user and password, and without what its query may hide.

    Of a database the query has settings too, such as ``sslmode``: only names of secrets are left out there.
    """
    parts = urlsplit(tracking_uri)
    if sqlite_file(tracking_uri) is not None or not ("@" in parts.netloc or parts.query):
        return tracking_uri
    is_page = parts.scheme in {"http", "https"}
    kept = [] if is_page else [item for item in parts.query.split("&") if not _SECRET.search(item.partition("=")[0])]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="&".join(kept)))
