"""What MLflow knows after a study, asked through MLflow's own client."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import LaunchError
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.study.evaluation import RecordLocation
from automl.study.events import Measured, ModelRegistered
from automl.study.trial import Measurement
from automl.tracking.mlflow import tracker as tracker_module
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.tracker import MlflowTracker, sync
from automl.tracking.mlflow.uri import default_tracking_uri
from automl.tracking.mlflow.writer import only_writer
from tests.automl.study.examples import study_started
from tests.automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.mlflow.events import append
from tests.automl.tracking.synthetic import RESULTS, make_plan, plan_of, tell, tell_curve

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn

LIMIT_S = 240.0
"""MLflow takes its time on a busy machine."""

SECRET = "nvapi-not-for-mlflow"  # noqa: S105 # made up
MODEL: dict[str, Any] = {
    "name": "demo",
    "files": {"checkpoint.pth": "trials/0004.2/train/model_epoch_001.pth", "spec.yaml": "trials/0004.2/spec.yaml"},
    "tags": {"automl.sha256": "ab" * 32, "automl.trial": "4", "automl.epoch": "1", "automl.value": "0.7"},
    "loader": "depth_net.serving",
}


@dataclass(frozen=True)
class Recorded:
    """A study in MLflow, and the client to ask."""

    directory: StudyPaths
    uri: str
    client: MlflowClient
    described: RecordLocation

    def runs(self) -> dict[str, Run]:
        experiment = self.client.get_experiment_by_name("demo")
        assert experiment is not None
        found = self.client.search_runs([experiment.experiment_id])
        return {run.data.tags["automl.key"].partition("/")[2]: run for run in found}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    root = tmp_path_factory.mktemp("results")
    directory = StudyPaths(root / "demo")
    uri = default_tracking_uri(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NGC_API_KEY", SECRET)
        tracker = MlflowTracker(uri, "demo", directory)
        tell(directory, tracker)
        append(directory, ModelRegistered(request=MODEL))
        tracker.close(timeout_s=LIMIT_S)
    described = tracker.describe()
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy, and only this module asks

    return Recorded(directory, uri, MlflowClient(tracking_uri=uri), described)


def test_a_study_is_one_parent_run_with_a_child_for_each_trial(recorded: Recorded) -> None:
    runs = recorded.runs()

    assert sorted(runs) == ["0000", "0001", "0002", "0003", "0004", "study"]
    parent = runs.pop("study").info.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent}
    assert recorded.described == RecordLocation(tracking_uri=recorded.uri, experiment="demo", run_id=parent)


def test_states_are_mlflow_states_plus_our_own_and_the_reason(recorded: Recorded) -> None:
    runs = recorded.runs()

    assert {key: (run.info.status, run.data.tags["automl.state"]) for key, run in runs.items()} == {
        "study": ("FINISHED", "COMPLETED"),
        "0000": ("FINISHED", "COMPLETED"),
        "0001": ("KILLED", "STOPPED"),
        "0002": ("FAILED", "DIVERGED"),
        "0003": ("FAILED", "FAILED"),
        "0004": ("FINISHED", "COMPLETED"),
    }
    assert runs["0001"].data.tags["automl.reason"].startswith("rung 1")
    assert runs["0003"].data.tags["automl.failure"] == "out_of_memory"


def test_parameters_are_the_searched_values_under_names_that_mlflow_accepts(recorded: Recorded) -> None:
    assert recorded.runs()["0004"].data.params == {"train.optim.lr": "0.005", "model.sizes:open:1:close:": "32"}


def test_metrics_have_the_epoch_as_step_and_the_time_of_the_measurement(recorded: Recorded) -> None:
    history = recorded.client.get_metric_history(recorded.runs()["0000"].info.run_id, "val/d1")

    assert [(point.step, point.value, point.timestamp) for point in history] == [
        (0, 0.3, 1_700_000_000_000),
        (1, 0.4, 1_700_000_001_000),
        (2, 0.5, 1_700_000_002_000),
    ]


def test_a_non_finite_value_is_a_tag_and_never_a_metric(recorded: Recorded) -> None:
    run = recorded.runs()["0002"]

    assert run.data.tags["automl.nonfinite.train_loss"] == "nan at 1"
    assert [p.step for p in recorded.client.get_metric_history(run.info.run_id, "train_loss")] == [0]


def test_a_second_attempt_goes_on_in_the_same_run_without_repeating_its_metrics(recorded: Recorded) -> None:
    run = recorded.runs()["0004"]

    assert run.data.tags["automl.attempt"] == "2"
    assert run.data.tags["automl.attempt.1"].startswith("INTERRUPTED")
    assert run.data.tags["automl.attempt.2"] == "COMPLETED"
    history = recorded.client.get_metric_history(run.info.run_id, "val/d1")
    assert [point.value for point in history] == [0.6, 0.7, 0.65]


def test_spec_log_and_panels_of_a_trial_are_artifacts(recorded: Recorded) -> None:
    run_id = recorded.runs()["0004"].info.run_id

    names = {item.path for item in recorded.client.list_artifacts(run_id)}
    panels = {item.path for item in recorded.client.list_artifacts(run_id, "panels")}
    assert names == {"spec.yaml", "train.log", "panels"}
    assert panels == {"panels/image_0.png"}


def test_the_study_run_has_route_fingerprints_versions_and_the_best_trial(recorded: Recorded) -> None:
    run = recorded.runs()["study"]

    tags = run.data.tags
    assert tags["automl.route"] == "tune"
    assert tags["automl.reasons"] == "the skill is AutoML-enabled"
    assert tags["automl.sha256.skill_info.yaml"] == "ab" * 32
    assert tags["automl.best_trial"] == "4"
    assert tags["automl.version.mlflow"].startswith("3.")
    assert run.data.metrics["best/val/d1"] == 0.7
    assert [p.value for p in recorded.client.get_metric_history(run.info.run_id, "automl.best")] == [0.5, 0.7]


def test_the_best_checkpoint_is_the_champion_of_the_studys_model(recorded: Recorded) -> None:
    version = recorded.client.get_model_version_by_alias("demo", "champion")

    assert version.version in {1, "1"}
    assert {key: version.tags[key] for key in MODEL["tags"]} == MODEL["tags"]
    assert version.run_id == recorded.described.run_id
    logged = recorded.client.get_logged_model(str(version.source).removeprefix("models:/"))
    weights = Path(logged.artifact_location.removeprefix("file://")) / "data" / "weights"
    assert {file.name for file in weights.iterdir()} >= {"checkpoint.pth", "spec.yaml"}


def test_only_its_owner_may_read_the_record(recorded: Recorded) -> None:
    results = recorded.directory.root.parent
    names = ("mlflow.db", "mlflow.db.lock", "mlflow-artifacts")

    assert {(results / name).stat().st_mode & 0o077 for name in names} == {0}


def test_a_secret_of_the_environment_is_nowhere_in_the_record(recorded: Recorded) -> None:
    files = [file for file in recorded.directory.root.parent.rglob("*") if file.is_file()]

    assert len(files) > 20
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


def test_sending_everything_again_changes_nothing(recorded: Recorded) -> None:
    before = {key: repr(run.to_dictionary()) for key, run in recorded.runs().items()}  # NaN does not equal itself
    for file in recorded.directory.mlflow.glob("sent-*.json"):
        file.unlink()

    sync(recorded.directory, recorded.uri, "demo", timeout_s=LIMIT_S)

    after = {key: repr(run.to_dictionary()) for key, run in recorded.runs().items()}
    assert after == before
    assert len(recorded.client.search_model_versions("name = 'demo'")) == 1


def test_searches_by_the_objective_rank_no_trial_without_a_value(recorded: Recorded) -> None:
    experiment = recorded.client.get_experiment_by_name("demo")
    assert experiment is not None

    found = recorded.client.search_runs([experiment.experiment_id], order_by=["metrics.`val/d1` DESC"])
    above = recorded.client.search_runs([experiment.experiment_id], "metrics.`val/d1` > 0")
    below = recorded.client.search_runs([experiment.experiment_id], "metrics.`val/d1` < 1")

    ranked = [run.data.tags["automl.key"].partition("/")[2] for run in found]
    assert ranked[:3] == ["0004", "0000", "0001"]
    for runs in (above, below):
        assert "DIVERGED" not in {run.data.tags["automl.state"] for run in runs}


def test_a_resumed_study_reuses_its_runs_and_leaves_out_what_it_reads_again(recorded: Recorded) -> None:
    tracker = MlflowTracker(recorded.uri, "demo", recorded.directory)
    files = FileTracker(recorded.directory, [tracker])
    files.study_started(make_plan(recorded.directory.root, "demo"), recorded.directory.root)
    tell_curve(files, RESULTS[0])
    files.measured(0, Measurement(epoch=3, values={"val/d1": 0.45}, unix_time_s=1_700_000_003.0))

    files.trial_ended(RESULTS[0])
    tracker.close(timeout_s=LIMIT_S)

    runs = recorded.runs()
    assert len(runs) == len(RESULTS) + 1
    history = recorded.client.get_metric_history(runs["0000"].info.run_id, "val/d1")
    assert [point.value for point in history] == [0.3, 0.4, 0.5, 0.45]


def test_mlflow_refuses_nothing_of_what_a_study_records(recorded: Recorded) -> None:
    assert not (recorded.directory.mlflow / "rejected.jsonl").exists()


def test_a_server_that_is_down_loses_nothing_and_delays_nothing(tmp_path: Path, recorded: Recorded) -> None:
    directory = StudyPaths(tmp_path / "down")
    tracker = MlflowTracker("http://127.0.0.1:9", "down", directory)
    tell(directory, tracker, results=RESULTS[:2])

    tracker.close(timeout_s=LIMIT_S)

    assert tracker.describe().run_id is None
    assert tracker.unsent
    sync(directory, recorded.uri, "down", timeout_s=LIMIT_S)
    experiment = recorded.client.get_experiment_by_name("down")
    assert experiment is not None
    assert len(recorded.client.search_runs([experiment.experiment_id])) == 3


@pytest.mark.slow
def test_sending_to_a_server_that_is_down_says_so_and_what_to_do(tmp_path: Path) -> None:
    study = append(StudyPaths(tmp_path), study_started())

    with pytest.raises(LaunchError, match="does not have the whole record") as caught:
        sync(study, "http://127.0.0.1:9", "demo", timeout_s=LIMIT_S)

    assert "nothing is lost" in caught.value.problems[0].fix


def test_a_study_that_another_process_goes_on_sending_is_refused_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = append(StudyPaths(tmp_path), study_started())
    monkeypatch.setattr(tracker_module, "BUSY_LIMIT_S", 0.0)

    with (
        only_writer(MlflowFolder(study), lambda: True),
        pytest.raises(LaunchError, match=f"process {os.getpid()} is sending it now"),
    ):
        sync(study, "http://127.0.0.1:9", "demo")


def test_a_study_that_another_process_stops_sending_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = append(StudyPaths(tmp_path), study_started())
    held = contextlib.ExitStack()
    held.enter_context(only_writer(MlflowFolder(study), lambda: True))
    threading.Timer(0.5, held.close).start()

    tracker_module._await_turn(MlflowFolder(study))  # noqa: SLF001 # sync, without MLflow's start

    assert f"process {os.getpid()} is sending this record now; waiting for it" in caplog.text


def test_a_study_that_has_not_begun_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="nothing to send"):
        sync(StudyPaths(tmp_path), "sqlite:///unused.db", "demo")


def test_a_disk_that_cannot_be_written_does_not_stop_the_study(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path / "demo")
    study.root.mkdir()
    study.mlflow.parent.write_text("in the way", encoding="utf-8")
    tracker = MlflowTracker("sqlite:///unused.db", "demo", study)

    tell(study, tracker, results=RESULTS[:1])
    tracker.close(timeout_s=1)

    assert study.mlflow.parent.is_file()


def test_a_writer_that_died_is_followed_by_another(tmp_path: Path) -> None:
    tracker = MlflowTracker(default_tracking_uri(tmp_path), "demo", StudyPaths(tmp_path / "demo"))
    tell(StudyPaths(tmp_path / "demo"), tracker, results=RESULTS[:1])
    writer = tracker._writer  # noqa: SLF001 # no other way to end it
    assert writer is not None
    writer.kill()
    writer.wait()

    tracker.close(timeout_s=LIMIT_S)

    assert not tracker.unsent


def test_a_writer_that_dies_before_it_begins_raises_nothing(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "demo")
    paths.root.mkdir()
    tracker = MlflowTracker("http://127.0.0.1:9", "demo", paths)
    log = EventLog(paths.events_file)
    tracker.record(log.append(study_started()))
    writer = tracker._writer  # noqa: SLF001 # no other way to end it
    assert writer is not None
    writer.kill()
    writer.wait()

    tracker.record(log.append(Measured(trial=0, epoch=0, step=None, max_epochs=None, values={"x": 1.0})))
    writer.communicate(b"finish 0\n")  # as its end does

    assert writer.returncode == -9


def test_an_interrupt_before_the_first_trial_does_not_wait_for_mlflow(tmp_path: Path) -> None:
    tracker = MlflowTracker(f"sqlite:///{tmp_path / 'm.db'}", "demo", StudyPaths(tmp_path))
    write_document(StudyPaths(tmp_path).plan_file, plan_of(tmp_path))
    FileTracker(StudyPaths(tmp_path), [tracker]).study_started(make_plan(tmp_path), tmp_path)
    began_s = time.monotonic()

    with pytest.raises(KeyboardInterrupt), tracker.given_up_if_interrupted():
        raise KeyboardInterrupt
    tracker.close()

    assert time.monotonic() - began_s < 20
    assert not (tmp_path / "m.db").exists()
    assert tracker.unsent
