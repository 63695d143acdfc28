"""A results folder that is moved or copied takes its record along: runs, artifacts, models, and how much was sent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.storage.paths import StudyPaths
from automl.study.events import FileAttached, ModelRegistered
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.moved import follow_move
from automl.tracking.mlflow.tracker import sync
from automl.tracking.mlflow.uri import default_tracking_uri, store_address
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append, measured, trial_started

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn

MODEL = {"name": "demo", "files": {"best.pth": "best.pth"}, "tags": {"automl.trial": "0"}, "loader": None}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder, its path hard to quote, with a study whose record is complete."""
    results = tmp_path_factory.mktemp("a") / "my 100% #résults"
    study = StudyPaths(results / "demo")
    study.root.mkdir(parents=True)
    for name in ("best.pth", "notes.txt"):
        (study.root / name).write_text(name, encoding="utf-8")
    events = (study_started(), trial_started(0), measured(0, 0, {"val/d1": 0.5}))
    append(study, *events, FileAttached(run="study", path="notes.txt"), ModelRegistered(request=MODEL))
    sync(study, default_tracking_uri(results), "demo", timeout_s=120)
    return results


def client_of(results: Path) -> MlflowClient:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    return MlflowClient(tracking_uri=store_address(default_tracking_uri(results)))


def study_run(client: MlflowClient) -> Run:
    (run,) = client.search_runs(["1"], "tags.`automl.kind` = 'study'")
    return run


def read(client: MlflowClient, folder: Path) -> list[str]:
    """Return the texts of an artifact and of the registered model."""
    from mlflow import artifacts  # noqa: PLC0415 # heavy

    note = client.download_artifacts(study_run(client).info.run_id, "notes.txt", str(folder))
    source = str(client.get_model_version_by_alias("demo", "champion").source)
    location = client.get_logged_model(source.removeprefix("models:/")).artifact_location
    model = artifacts.download_artifacts(artifact_uri=f"{location}/data/weights/best.pth", dst_path=str(folder))
    return [Path(name).read_text(encoding="utf-8") for name in (note, model)]


@pytest.mark.parametrize("is_moved", [True, False])
def test_artifacts_and_models_are_those_of_the_folder_itself(recorded: Path, tmp_path: Path, *, is_moved: bool) -> None:
    new = shutil.copytree(recorded, tmp_path / "new % place")
    if is_moved:
        recorded.rename(recorded.with_name("gone"))
    else:
        (recorded / "demo" / "notes.txt").touch()
    try:
        follow_move(new / "mlflow.db")
        follow_move(new / "mlflow.db")

        client, out = client_of(new), tmp_path / "out"
        out.mkdir()
        assert read(client, out) == ["notes.txt", "best.pth"]
        run = study_run(client)
        assert run.info.artifact_uri.startswith((new / "mlflow-artifacts").as_uri())
        assert run.data.tags["automl.directory"] == str(new / "demo")
    finally:
        if is_moved:
            recorded.with_name("gone").rename(recorded)


def test_what_was_sent_is_known_after_a_move_and_nothing_is_sent_twice(recorded: Path, tmp_path: Path) -> None:
    new = shutil.copytree(recorded, tmp_path / "new")
    study, uri = StudyPaths(new / "demo"), default_tracking_uri(new)
    before = client_of(recorded).search_runs(["1"])

    assert MlflowFolder(study).is_complete(uri)
    append(study, measured(0, 1, {"val/d1": 0.6}))
    sync(study, uri, "demo", timeout_s=120)

    after = client_of(new).search_runs(["1"])
    assert {run.info.run_id for run in after} == {run.info.run_id for run in before}
    assert [run.data.metrics.get("val/d1") for run in client_of(recorded).search_runs(["1"])] == [
        run.data.metrics.get("val/d1") for run in before
    ]
    assert 0.6 in [run.data.metrics.get("val/d1") for run in after]


@pytest.mark.parametrize("is_another_there", [True, False])
def test_a_record_that_is_not_there_is_sent_again(recorded: Path, tmp_path: Path, *, is_another_there: bool) -> None:
    (tmp_path / "alone").mkdir()
    study = StudyPaths(shutil.copytree(recorded / "demo", tmp_path / "alone" / "demo"))
    uri = default_tracking_uri(tmp_path / "alone")
    if is_another_there:
        (tmp_path / "alone" / "mlflow.db").touch()

    assert MlflowFolder(study).is_complete(uri) == is_another_there
    sync(study, uri, "demo", timeout_s=120)

    assert MlflowFolder(study).is_complete(uri)
    assert read(client_of(tmp_path / "alone"), tmp_path) == ["notes.txt", "best.pth"]


def test_a_store_without_tables_and_one_that_is_not_there_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()

    follow_move(tmp_path / "mlflow.db")
    follow_move(tmp_path / "other.db")

    assert [file.stat().st_size for file in tmp_path.iterdir()] == [0]


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, but long enough to be looked at " * 40, encoding="utf-8")

    with pytest.raises(OSError, match=r"mlflow\.db"):
        follow_move(tmp_path / "mlflow.db")
