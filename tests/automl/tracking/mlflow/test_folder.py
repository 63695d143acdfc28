"""Each server has its own position; a study of the version before is found again and sent to its end."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import ConfigurationError
from automl.storage.legacy import upgrade_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import write_record
from automl.study.evaluation import RecordLocation
from automl.study.events import TrialEnded
from automl.tracking.mlflow.folder import MlflowFolder, UploadState, record_document
from automl.tracking.mlflow.tracker import sync
from automl.tracking.mlflow.uploads import Upload, UploadKind
from automl.tracking.mlflow.uri import default_tracking_uri, without_password
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append, measured, trial_started
from tests.automl.tracking.synthetic import RESULTS

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI = "http://user:secret@server:5000"
BEFORE = Path(__file__).parent / "version_before"


@pytest.fixture
def study(tmp_path: Path) -> StudyPaths:
    return append(StudyPaths(tmp_path / "demo"), study_started(), trial_started(0))


def test_each_server_has_its_own_position(study: StudyPaths) -> None:
    folder = MlflowFolder(study)
    size = study.events_file.stat().st_size
    file = Upload(UploadKind.ARTIFACT, "study", {"path": "plan.json", "folder": ""})
    state = UploadState(position=size, run_ids={"study": "abc"}, files=[file])

    folder.save_state(URI, state)
    assert folder.load_state(URI) == state
    assert not folder.is_complete(URI)

    folder.save_state(URI, UploadState(position=size))
    assert folder.is_complete(URI)
    assert not folder.is_complete("sqlite:///other.db")


def test_a_store_that_could_not_be_made_has_nothing_and_its_cause_is_known(study: StudyPaths) -> None:
    folder, uri = MlflowFolder(study), f"sqlite:///{study.root.parent}/gone/mlflow.db"
    folder.save_state(uri, UploadState(position=5, run_ids={"study": "abc"}, problem="No space left on device"))

    assert folder.load_state(uri) == UploadState(problem="No space left on device")
    assert folder.missing(uri) == ("everything: No space left on device",)


def test_a_run_that_the_server_made_after_the_end_of_the_study_is_known(study: StudyPaths) -> None:
    location = RecordLocation(tracking_uri=without_password(URI), experiment="demo")
    write_record(study, location, study.root.parent)
    assert record_document(study.root)["run_id"] is None

    MlflowFolder(study).save_state(without_password(URI), UploadState(run_ids={"study": "abc"}))

    assert record_document(study.root)["run_id"] == "abc"


def test_a_position_behind_the_end_of_an_older_log_is_the_beginning(study: StudyPaths) -> None:
    folder = MlflowFolder(study)
    folder.save_state(URI, UploadState(position=study.events_file.stat().st_size + 1, run_ids={"study": "abc"}))

    assert folder.load_state(URI) == UploadState(position=0, run_ids={"study": "abc"})
    assert not folder.is_complete(URI)


def test_a_line_that_a_crash_tore_is_not_missing(study: StudyPaths) -> None:
    folder = MlflowFolder(study)
    folder.save_state(URI, UploadState(position=study.events_file.stat().st_size))
    with study.events_file.open("a", encoding="utf-8") as stream:
        stream.write('{"event": "measured", "tr')

    assert folder.is_complete(URI)


def test_a_position_that_cannot_be_read_is_the_beginning(study: StudyPaths) -> None:
    folder = MlflowFolder(study)
    folder.save_state(URI, UploadState(position=7))
    (file,) = study.mlflow.glob("sent-*.json")
    file.write_text("torn", encoding="utf-8")

    assert folder.load_state(URI) == UploadState()


def test_the_password_of_a_tracking_uri_is_not_written_to_disk(study: StudyPaths) -> None:
    MlflowFolder(study).save_state(URI, UploadState())

    for file in study.mlflow.iterdir():
        assert "secret" not in file.read_text(encoding="utf-8") + file.name


def test_the_study_id_stays_the_same_after_a_restart(study: StudyPaths) -> None:
    assert MlflowFolder(study).own_id(URI) == MlflowFolder(study).own_id(URI) == MlflowFolder(study).known_id()


def test_a_folder_in_place_of_the_study_id_is_refused_by_name(study: StudyPaths) -> None:
    (study.mlflow / "study_id").mkdir(parents=True)

    with pytest.raises(ConfigurationError) as caught:
        MlflowFolder(study).check()

    assert [problem.where for problem in caught.value.problems] == [str(study.mlflow / "study_id")]
    assert "it is a folder, not a file" in caught.value.problems[0].found


@pytest.mark.parametrize("name", ["writer.lock", "writer.log"])
def test_a_pipe_in_place_of_what_the_writer_opens_is_refused_by_name(study: StudyPaths, name: str) -> None:
    study.mlflow.mkdir(parents=True)
    os.mkfifo(study.mlflow / name)

    with pytest.raises(ConfigurationError) as caught:
        MlflowFolder(study).check()

    assert [problem.where for problem in caught.value.problems] == [str(study.mlflow / name)]


def test_a_file_in_place_of_the_folder_is_refused_by_name(study: StudyPaths) -> None:
    study.mlflow.parent.mkdir(exist_ok=True)
    study.mlflow.touch()

    with pytest.raises(ConfigurationError, match="1 problem") as caught:
        MlflowFolder(study).check()

    assert "Not a directory" in caught.value.problems[0].found


@pytest.fixture
def before(tmp_path: Path) -> StudyPaths:
    """A study as the version before has left it, its trials' files made anew."""
    study = StudyPaths(tmp_path / "results" / "demo")
    shutil.copytree(BEFORE, study.root)
    for upload in MlflowFolder(study).read_queue(0, limit=1000)[0]:
        named = [upload.data["path"]] if upload.kind is UploadKind.ARTIFACT else upload.data.get("files", {}).values()
        for name in named:
            (study.root / name).parent.mkdir(parents=True, exist_ok=True)
            (study.root / name).touch()
    return study


def everything(client: MlflowClient) -> dict[str, Any]:
    """Return what a server has: runs by key, with every point of every metric."""
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id]):
        points = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        found[run.data.tags["automl.key"]] = {
            "id": run.info.run_id,
            "status": run.info.status,
            "parameters": dict(run.data.params),
            "tags": dict(run.data.tags),
            "points": {name: [(p.step, p.value, p.timestamp) for p in ps] for name, ps in points.items()},
            "files": sorted(item.path for item in client.list_artifacts(run.info.run_id)),
        }
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_a_study_of_the_version_before_goes_on_in_its_runs_and_doubles_nothing(before: StudyPaths) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    uri = default_tracking_uri(before.root.parent)
    sync(before, uri, "demo", timeout_s=120)
    client, key = MlflowClient(tracking_uri=uri), (StudyPaths(BEFORE).outbox / "study_id").read_text(encoding="utf-8")
    first = everything(client)
    assert set(first) == {f"{key}/{run}" for run in ("study", "0000", "0001", "0002", "evaluate-1")}
    assert [value for _, value, _ in first[f"{key}/0002"]["points"]["val/d1"]] == [0.6, 0.7, 0.65]
    assert [version.version for version in client.search_model_versions("name = 'demo'")] in ([1], ["1"])

    leave_as_the_version_before_did(before)
    upgrade_log(before)  # as a resume does
    sync(before, uri, "demo", timeout_s=120)
    assert everything(client) == first

    append(
        before,
        study_started(environment={"version.python": "3.11"}),
        trial_started(3),
        measured(3, 0, {"val/d1": 0.8}),
        TrialEnded(replace(RESULTS[1], number=3)),
    )
    sync(before, uri, "demo", timeout_s=120)
    after = everything(client)
    assert set(after) == {*first, f"{key}/0003"}
    assert after[f"{key}/0002"] == first[f"{key}/0002"]
    assert after[f"{key}/study"]["id"] == first[f"{key}/study"]["id"]
    assert not (before.mlflow / "rejected.jsonl").exists()


def leave_as_the_version_before_did(study: StudyPaths) -> None:
    """Put the position of a server where the version before kept it."""
    (file,) = study.mlflow.glob("sent-*.json")
    state = json.loads(file.read_text(encoding="utf-8"))
    document = {
        "offset": (study.outbox / "queue.jsonl").stat().st_size,
        "run_ids": state["run_ids"],
        "experiment_id": state["experiment_id"],
        "is_reachable": True,
        "problem": "",
    }
    (study.outbox / file.name).write_text(json.dumps(document), encoding="utf-8")
    shutil.rmtree(study.mlflow)
    shutil.copy(BEFORE / study.events_file.name, study.events_file)
