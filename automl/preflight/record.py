"""Check the record of a study: whether MLflow answers, whether files can be stored, and what earlier studies miss."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from automl.preflight.findings import Finding, bad, doubt, good
from automl.preflight.probe import nearest_folder
from automl.preflight.software import unreachable
from automl.regular_file import open_regular
from automl.shown_command import shown_command
from automl.storage.overview import study_directories
from automl.storage.paths import StudyPaths
from automl.tracking.mlflow.failures import explain, http_status, not_installed
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.rest import ask, is_server, open_session
from automl.tracking.mlflow.uri import default_tracking_uri, sqlite_file, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
_STORES = {"http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc"}
_MODULES = {"s3": "boto3", "gs": "google.cloud.storage", "wasbs": "azure.storage.blob", "abfss": "azure.storage.blob"}
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_NOT_FOUND = 404
_SQLITE_HEADER = b"SQLite format 3\0"
_LATEST_STUDIES = 20
_MEANWHILE = "meanwhile the record is kept, and `automl sync` sends it"


def record_findings(tracking_uri: str | None, experiment: str, results: Path) -> Iterator[Finding]:
    """Yield whether a study can be recorded; without a server it runs and keeps its record until there is one."""
    uri = tracking_uri or default_tracking_uri(results)
    file = sqlite_file(uri)
    if file is not None and file.is_file() and not _is_database(file):
        fix = f"move {file} away, or restore it from a copy; {_MEANWHILE}"
        yield doubt("record", f"{file} is no sqlite database, or cannot be read", fix=fix)
    elif tracking_uri is not None:
        yield _store_finding(uri, experiment)
    yield from _unsent_findings(uri, results)


def _is_database(file: Path) -> bool:
    try:
        with open_regular(file) as stream:
            return stream.read(len(_SQLITE_HEADER)) in {b"", _SQLITE_HEADER}
    except OSError:
        return False


def _store_finding(uri: str, experiment: str) -> Finding:
    parts, shown = urlsplit(uri), without_password(uri)
    scheme = parts.scheme.split("+")[0]
    expected = "an address of a server, or sqlite:////absolute/file.db"
    if scheme in {"", "file"}:
        fix = "`mlflow migrate-filestore` moves such a folder into a database; or start `mlflow server` on one"
        return bad("record", f"{shown} is a folder, which MLflow does not take any more", expected=expected, fix=fix)
    if scheme not in _STORES and scheme not in {point.name for point in entry_points(group="mlflow.tracking_store")}:
        found = f"{shown}: MLflow knows no store {scheme}://"
        return bad("record", found, expected=expected, fix="correct --tracking-uri or MLFLOW_TRACKING_URI")
    port = parts.port or _PORTS.get(scheme)
    if not parts.hostname or port is None:
        return good("record", f"{shown}, experiment {experiment}")
    reason = unreachable(parts.hostname, port)
    if reason is None and is_server(uri):
        return _server_finding(uri, experiment)
    if reason is None:
        return good("record", f"{shown} answers")
    return doubt("record", f"{shown}: {reason}", fix=f"start the server, or correct --tracking-uri; {_MEANWHILE}")


def _server_finding(uri: str, experiment: str) -> Finding:
    shown = without_password(uri)
    try:
        location = _artifact_location(uri, experiment)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return doubt("record", f"{shown}: {explain(error)}", fix=f"see what it says; {_MEANWHILE}")
    scheme = urlsplit(location).scheme
    module = _MODULES.get(scheme)
    if module is not None and not _is_installed(module):
        found = f"{shown} keeps artifacts in {location}: {not_installed(module)}"
        return doubt(
            "record", found, fix="install it, or start the server with --serve-artifacts; metrics need neither"
        )
    if scheme in {"", "file"} and not _may_write(uri, Path(urlsplit(location).path)):
        found = f"{shown} keeps artifacts in {location}, a folder of its own machine that cannot be written from here"
        return doubt("record", found, fix="start the server with --serve-artifacts; metrics do not need it")
    return good("record", f"{shown} answers; experiment {experiment}, artifacts in {location}")


def _may_write(uri: str, folder: Path) -> bool:
    nearest = nearest_folder(folder)
    return urlsplit(uri).hostname in _THIS_MACHINE and nearest.is_dir() and os.access(nearest, os.W_OK)


def _artifact_location(uri: str, experiment: str) -> str:
    """Return where an experiment keeps its artifacts, or where a new one would; raises what `ask` does."""
    with open_session() as session:
        try:
            found = ask(session, uri, "experiments/get-by-name", {"experiment_name": experiment})
        except OSError as error:
            if http_status(error) != _NOT_FOUND:
                raise
            found = ask(session, uri, "experiments/get", {"experiment_id": "0"})
    return str(found["experiment"]["artifact_location"])


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is not there
        return False


def _unsent_findings(uri: str, results: Path) -> Iterator[Finding]:
    """Yield a row for each of the latest studies of which files could not be stored."""
    try:
        studies = study_directories(results)[-_LATEST_STUDIES:]
    except OSError:
        return
    for study in studies:
        folder = MlflowFolder(StudyPaths(study))
        if folder.load_state(uri).failed:
            yield doubt(
                f"record of {study.name}",
                "; ".join(folder.missing(uri)),
                fix=f"remove the cause, then {shown_command('sync', study)}",
            )
