"""The record on a real MLflow server with a real PostgreSQL behind it, which is away for a while in between."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from automl.storage.paths import StudyPaths
from automl.study.events import FileAttached, ModelRegistered
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.tracker import MlflowTracker, sync
from tests.automl.tracking.mlflow.events import append
from tests.automl.tracking.mlflow.servers import LIMIT_S, free_port, mlflow_server, needs_postgresql, postgresql
from tests.automl.tracking.mlflow.test_tracker import MODEL
from tests.automl.tracking.synthetic import tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow.entities import Run

pytestmark = [
    pytest.mark.slow,
    needs_postgresql,
    pytest.mark.filterwarnings("default"),  # MLflow's own imports warn
]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgresql() as uri:
        yield uri


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
