"""The record on a real MLflow server with a real PostgreSQL behind it, which is away for a while in between."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from automl.storage.paths import StudyPaths
from automl.study.events import FileAttached, ModelRegistered
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.tracker import MlflowTracker, sync
from automl.tracking.mlflow.writer import QUIET_ENVIRONMENT
from tests.automl.tracking.mlflow.events import append
from tests.automl.tracking.mlflow.test_tracker import MODEL
from tests.automl.tracking.synthetic import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import Run

psycopg2 = pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
PROGRAMS = {name: shutil.which(name) for name in ("initdb", "postgres")}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(None in PROGRAMS.values(), reason="PostgreSQL is not installed"),
    pytest.mark.filterwarnings("default"),  # MLflow's own imports warn
]

# PostgreSQL refuses to run as root.
OWNER = "nobody" if os.getuid() == 0 else None
LIMIT_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Run a cluster of our own on loopback; return the URI of an empty database."""
    with tempfile.TemporaryDirectory(prefix="automl-postgresql-") as name:
        folder, port = Path(name), free_port()
        if OWNER is not None:
            shutil.chown(folder, OWNER)
        cluster = folder / "cluster"
        settings = ["-c", "fsync=off", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
        subprocess.run(
            [str(PROGRAMS["initdb"]), "-D", str(cluster), "-U", "automl", "-A", "trust", "-E", "UTF8", "--no-sync"],
            user=OWNER, cwd=folder, check=True, capture_output=True, timeout=LIMIT_S,
        )  # fmt: skip
        with subprocess.Popen(
            [str(PROGRAMS["postgres"]), "-D", str(cluster), "-p", str(port), *settings],
            user=OWNER, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            try:
                make_database(port)
                yield f"postgresql+psycopg2://automl@127.0.0.1:{port}/mlflow"
            finally:
                server.terminate()
                server.wait(30)


def make_database(port: int) -> None:
    connection = connect(port)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE mlflow")


def connect(port: int) -> Any:  # noqa: ANN401 # psycopg2 is imported only where it is installed
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            return psycopg2.connect(host="127.0.0.1", port=port, user="automl", dbname="postgres")
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.2)


@contextlib.contextmanager
def mlflow_server(database: str, port: int, folder: Path) -> Iterator[None]:
    """Run MLflow's tracking server on the database; artifacts go through it."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--artifacts-destination", str(folder / "artifacts")]
    environment = {**os.environ, **QUIET_ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (
        (folder / "server.log").open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True) as server,
    ):
        try:
            wait_until_up(server, port)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, 15)
            server.wait(30)


def wait_until_up(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except OSError:
            assert server.poll() is None, "the MLflow server ended"
            assert time.monotonic() < deadline, "the MLflow server did not start"
            time.sleep(0.3)


def runs_of(uri: str) -> dict[str, Run]:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    return {
        run.data.tags["automl.key"].partition("/")[2]: run for run in client.search_runs([experiment.experiment_id])
    }


@pytest.mark.timeout(600)
def test_a_server_that_comes_up_late_and_goes_away_loses_nothing_and_doubles_nothing(
    tmp_path: Path, database: str
) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    directory = StudyPaths(tmp_path / "demo")
    folder = MlflowFolder(directory)
    tracker = MlflowTracker(uri, "demo", directory)
    started = time.monotonic()
    tell(directory, tracker)
    appended_s = time.monotonic() - started
    assert appended_s < 5, "a study does not wait for the server"
    assert tracker.unsent

    with mlflow_server(database, port, tmp_path):
        append(directory, ModelRegistered(request=MODEL))
        tracker.close(timeout_s=LIMIT_S)
        first = runs_of(uri)
    assert folder.is_complete(uri)

    tell_while_away(directory, uri)
    with mlflow_server(database, port, tmp_path):
        sync(directory, uri, "demo")
        assert folder.is_complete(uri)
        for state in directory.mlflow.glob("sent-*.json"):
            state.unlink()
        sync(directory, uri, "demo")
        check(uri, first)
    assert not (directory.mlflow / "rejected.jsonl").exists()


def tell_while_away(study: StudyPaths, uri: str) -> None:
    tracker = MlflowTracker(uri, "demo", study)
    append(study, FileAttached(run="study", path="plan.json"))
    tracker.close(timeout_s=20)
    assert tracker.unsent


def check(uri: str, first: dict[str, Run]) -> None:
    """Ask MLflow's own client whether everything is there once."""
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    client, runs = MlflowClient(tracking_uri=uri), runs_of(uri)
    assert sorted(runs) == ["0000", "0001", "0002", "0003", "0004", "study"]
    assert {key: run.info.run_id for key, run in runs.items()} == {key: run.info.run_id for key, run in first.items()}
    ends = [runs[key].info.status for key in ("0000", "0001", "0002", "0003")]
    assert ends == ["FINISHED", "KILLED", "FAILED", "FAILED"]
    history = client.get_metric_history(runs["0004"].info.run_id, "val/d1")
    assert [(point.step, point.value) for point in history] == [(0, 0.6), (1, 0.7), (2, 0.65)]
    assert runs["0002"].data.tags["automl.nonfinite.train_loss"] == "nan at 1"
    assert [version.version for version in client.search_model_versions("name = 'demo'")] == ["1"]
    kept = {item.path for item in client.list_artifacts(runs["0000"].info.run_id)}
    assert {"spec.yaml", "train.log", "panels"} <= kept
