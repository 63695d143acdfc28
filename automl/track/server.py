"""Start the MLflow web interface of a results root, on this machine only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from automl.errors import LaunchError, Problem
from automl.track.mlflow_writer import QUIET_ENVIRONMENT
from automl.track.uri import default_tracking_uri, sqlite_file

if TYPE_CHECKING:
    from pathlib import Path

_HOST = "127.0.0.1"


def server_url(port: int, experiment_id: str | None = None) -> str:
    """Return the address to open in a browser, on the runs of an experiment if one is given."""
    return f"http://{_HOST}:{port}/" + (f"#/experiments/{experiment_id}/runs" if experiment_id else "")


def serve(results_root: Path, port: int, *, tracking_uri: str | None = None) -> None:
    """Run the MLflow server until it ends or is interrupted. Prints nothing itself.

    Args:
        results_root: Folder of the studies; its ``mlflow.db`` is shown.
        port: TCP port on loopback.
        tracking_uri: Another store to show.

    Raises:
        LaunchError: there is no record yet, the port is taken, or the server ended with an error.
    """
    uri = tracking_uri or default_tracking_uri(results_root)
    _check_record_exists(uri)
    _check_port(port)
    status = _run_until_interrupted(_command(uri, results_root, port))
    if status != 0:
        raise LaunchError(f"the MLflow server ended with status {status}")


def _command(uri: str, results_root: Path, port: int) -> list[str]:
    artifacts = (results_root.absolute() / "mlflow-artifacts").as_uri()
    options = ["--backend-store-uri", uri, "--default-artifact-root", artifacts, "--host", _HOST, "--port", str(port)]
    # One worker: four, the default, take 700 MB and serve one person no faster.
    return [sys.executable, "-m", "mlflow", "server", *options, "--workers", "1"]


def _run_until_interrupted(command: list[str]) -> int:
    environment = {**os.environ, **QUIET_ENVIRONMENT}
    with subprocess.Popen(command, env=environment) as server:  # noqa: S603 # our own command, no shell
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            server.wait()
            return 0


def _check_record_exists(uri: str) -> None:
    file = sqlite_file(uri)
    if file is not None and not file.is_file():
        problem = Problem(
            where=str(file),
            found="no such file",
            expected="the record of at least one study",
            fix="run a study first, or name its results folder with --results",
        )
        raise LaunchError("there is no MLflow record to show", [problem])


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
