"""Start the MLflow web interface of a results root, on this machine only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from automl.errors import ConfigurationError, LaunchError, Problem
from automl.regular_file import open_to_append
from automl.tracking.mlflow.environment import QUIET_ENVIRONMENT
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.moved import follow_move
from automl.tracking.mlflow.uri import ARTIFACTS, default_tracking_uri, sqlite_file, store_address
from automl.tracking.mlflow.view import view_page

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.paths import StudyPaths

_HOST = "127.0.0.1"
_STOP_LIMIT_S = 10.0
_UP_POLL_S = 0.2
_MAX_COMPARED = 100
"""MLflow's comparison becomes unreadable and its address too long beyond that."""
# Nine processes for jobs of language models, which nobody here asks for; they would outlive the server.
_NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def server_url(port: int) -> str:
    """Return the address of the server that `serve` starts."""
    return f"http://{_HOST}:{port}"


def comparison_url(server: str, study: StudyPaths, tracking_uri: str) -> str:
    """Return the address of MLflow's comparison of a study's trials on a server that shows a store.

    It is the study's own view where the store has it (`automl.tracking.mlflow.view`), else MLflow's of the runs. It is
    that of the experiment's runs if no trial was sent there yet, the start page if the study is unknown there.
    """
    folder = MlflowFolder(study)
    state = folder.load_state(tracking_uri)
    runs = [run_id for key, run_id in state.run_ids.items() if key.isdigit()][:_MAX_COMPARED]
    page = server.rstrip("/") + "/"
    if state.experiment_id is None:
        return page
    if not runs:
        return f"{page}#/experiments/{state.experiment_id}/runs"
    if state.has_view:
        return page + view_page(state.experiment_id, folder.known_id() or "")
    query = urlencode({"runs": json.dumps(runs), "experiments": json.dumps([state.experiment_id])}, quote_via=quote)
    return f"{page}#/compare-runs?{query}"


def open_when_up(port: int, url: str, *, limit_s: float = 60.0) -> threading.Thread:
    """Open a page in the user's browser as soon as a server listens on a port of this machine; returns at once."""

    def wait_and_open() -> None:
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1.0):
                webbrowser.open(url)
                return
            time.sleep(_UP_POLL_S)

    thread = threading.Thread(target=wait_and_open, name="open browser", daemon=True)
    thread.start()
    return thread


def serve(results_root: Path, port: int, *, tracking_uri: str | None = None) -> None:
    """Run the MLflow server of a results folder until it ends or is interrupted, on a TCP port on loopback.

    It shows the folder's ``mlflow.db`` unless ``tracking_uri`` names another store. Prints nothing: its log is
    `mlflow-server.log`.

    Raises:
        ConfigurationError: there is no record yet.
        LaunchError: the port is taken, or the server ended with an error.
    """
    uri = tracking_uri or default_tracking_uri(results_root)
    log = results_root / "mlflow-server.log"
    check_servable(uri, port)
    if (file := sqlite_file(uri)) is not None:
        follow_move(file)
    artifacts = (results_root.absolute() / ARTIFACTS).as_uri()
    options = ["--backend-store-uri", store_address(uri)]
    options += ["--default-artifact-root", artifacts, "--host", _HOST, "--port", str(port)]
    # One worker: four, the default, take 700 MB and serve one person no faster.
    status = _run_until_interrupted([sys.executable, "-P", "-m", "mlflow", "server", *options, "--workers", "1"], log)
    if status != 0:
        expected, fix = "a server that runs until it is interrupted", "read the end of this log"
        problem = Problem(where=str(log), found=f"status {status}", expected=expected, fix=fix)
        raise LaunchError("the MLflow server ended by itself", [problem])


def check_servable(tracking_uri: str, port: int) -> None:
    """Refuse to serve a record that is not there, or on a port that is taken.

    Raises:
        ConfigurationError: there is no such record.
        LaunchError: the port cannot be had.
    """
    file = sqlite_file(tracking_uri)
    if file is not None and not file.is_file():
        found = f"no {file.name} in it" if file.parent.is_dir() else "no such folder"
        expected = "a folder with the record of at least one study"
        fix = "run a study first, or name its results folder: automl ui RESULTS"
        problem = Problem(where=str(file.parent), found=found, expected=expected, fix=fix)
        raise ConfigurationError("there is no MLflow record to show", [problem])
    _check_port(port)


def _check_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            problem = Problem(
                where="--port",
                found=f"{port}: {error.strerror if isinstance(error, OSError) else error}",
                expected="a free port from 1024 to 65535",
                fix=f"stop what listens on {_HOST}:{port}, or give another --port",
            )
            raise LaunchError(f"the MLflow server cannot listen on port {port}", [problem]) from error


def _run_until_interrupted(command: list[str], log: Path) -> int:
    environment = {**os.environ, **QUIET_ENVIRONMENT, **_NO_JOBS, "PYTHONSAFEPATH": "1"}
    with (
        open_to_append(log) as stream,
        subprocess.Popen(  # noqa: S603 # our own command, no shell
            # Not the working folder: uvicorn, which MLflow starts, puts that on the path of its modules all the same.
            command,
            env=environment,
            cwd="/",
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        ) as server,
    ):
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            signal.signal(signal.SIGTERM, previous)
            # The whole session: a server that is asked to end leaves some of its own helpers running.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
