"""What a server refuses for good is set aside, what it does not take now is sent later; the rest gets through."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.study.events import FileAttached
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.names import stored_name
from automl.tracking.mlflow.uri import default_tracking_uri
from automl.tracking.mlflow.view import view_tag
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append, measured, trial_started
from tests.automl.tracking.synthetic import RESULTS, tell

if TYPE_CHECKING:
    from automl.tracking.mlflow.uploader import Uploader

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return default_tracking_uri(tmp_path_factory.mktemp("results"))


@pytest.fixture
def study(tmp_path: Path) -> StudyPaths:
    return append(StudyPaths(tmp_path / "demo"), study_started(), trial_started(0, lr=0.1))


def uploader(study: StudyPaths, uri: str) -> Uploader:
    from automl.tracking.mlflow.uploader import Uploader  # noqa: PLC0415 # heavy

    return Uploader(MlflowFolder(study), uri, "demo")


def send_all(study: StudyPaths, uri: str) -> Uploader:
    one = uploader(study, uri)
    while one.send_pending():
        pass
    send_files(one, study)
    return one


def send_files(one: Uploader, study: StudyPaths) -> None:
    from automl.tracking.mlflow.files import FileUploader  # noqa: PLC0415 # heavy

    file_uploader = FileUploader(one, study)
    while file_uploader.send_next():
        pass


def history(one: Uploader, run: str, name: str) -> list[float]:
    client = one.connect()
    return [point.value for point in client.get_metric_history(one.state.run_ids[run], name)]


def rejected(study: StudyPaths) -> list[dict[str, str]]:
    text = (study.mlflow / "rejected.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_one_refused_upload_does_not_hold_up_the_others(study: StudyPaths, uri: str) -> None:
    other_value = trial_started(0, attempt=2, lr=0.2)  # MLflow keeps the first value of a parameter
    append(study, measured(0, 0, {"loss": 1.0}), other_value, measured(0, 1, {"loss": 0.5}))

    one = send_all(study, uri)

    assert [upload["kind"] for upload in rejected(study)] == ["parameters"]
    assert history(one, "0000", "loss") == [1.0, 0.5]
    assert one.state.files == []


def test_a_crash_between_making_a_run_and_noting_it_makes_no_second_run(study: StudyPaths, uri: str) -> None:
    first = send_all(study, uri)
    for file in study.mlflow.glob("sent-*.json"):
        file.unlink()

    second = send_all(study, uri)

    assert second.state == first.state


def test_more_metrics_than_one_request_may_hold_are_all_sent_once(study: StudyPaths, uri: str) -> None:
    append(study, *(measured(0, step, {"a": step, "b": -step}) for step in range(1200)))

    one = send_all(study, uri)

    assert len(history(one, "0000", "a")) == 1200
    assert len(history(one, "0000", "b")) == 1200


def test_a_writer_that_is_killed_between_two_parts_loses_nothing_and_doubles_nothing(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.tracking.mlflow.uploader._MAX_PART", 2)
    study = StudyPaths(tmp_path / "demo")
    tell(study, results=RESULTS[:2])

    parts = 0
    while uploader(study, uri).send_pending():  # a new process for each part, which knows only what is on the disk
        parts += 1

    one = send_all(study, uri)
    assert parts > 5
    assert MlflowFolder(study).is_complete(uri)
    assert history(one, "0000", "val/d1") == [0.3, 0.4, 0.5]
    assert history(one, "study", "automl.best") == [0.5, 0.5], "when it was found, and at the end"
    assert not (study.mlflow / "rejected.jsonl").exists()


def test_a_file_that_cannot_be_stored_holds_nothing_back_and_is_sent_later(tmp_path: Path) -> None:
    from automl.tracking.mlflow.files import FileUploader  # noqa: PLC0415 # heavy

    study = StudyPaths(tmp_path / "demo")
    append(study, study_started(), trial_started(0), FileAttached(run="0000", path="a.txt"), measured(0, 0, {"a": 1.0}))
    (study.root / "a.txt").write_text("text", encoding="utf-8")
    uri, artifacts = default_tracking_uri(tmp_path), tmp_path / "mlflow-artifacts"
    one = uploader(study, uri)
    one.send_pending()
    artifacts.rename(tmp_path / "away")
    artifacts.write_text("in the way", encoding="utf-8")
    file_uploader = FileUploader(one, study)

    assert [file_uploader.send_next() for _ in range(3)] == [True, True, False], (
        "plan and file, then neither is due again"
    )
    append(study, measured(0, 1, {"a": 2.0}))
    assert one.send_pending()
    assert history(one, "0000", "a") == [1.0, 2.0]
    (missing,) = MlflowFolder(study).missing(uri)
    assert missing.startswith("2 files (a.txt of 0000, plan.json of study): ")
    assert "mlflow-artifacts" in missing
    file_uploader.retry_failed()
    assert [failed.attempts for failed in MlflowFolder(study).load_state(uri).failed] == [2, 2]

    artifacts.unlink()
    (tmp_path / "away").rename(artifacts)
    send_all(study, uri)  # another process tries at once
    assert MlflowFolder(study).is_complete(uri)
    assert list(artifacts.rglob("a.txt"))


@pytest.mark.parametrize("is_for_good", [False, True])
@pytest.mark.parametrize("key", ["study", "0000"])
def test_a_run_that_was_deleted_is_made_anew_with_everything(
    study: StudyPaths, uri: str, key: str, *, is_for_good: bool
) -> None:
    append(study, measured(0, 0, {"loss": 1.0}))
    before = send_all(study, uri)
    deleted = before.state.run_ids[key]
    before.connect().delete_run(deleted)
    if is_for_good:
        before.connect()._tracking_client.store._hard_delete_run(deleted)  # noqa: SLF001 # as `mlflow gc` does

    append(study, study_started(), trial_started(0, attempt=2, lr=0.1), measured(0, 1, {"loss": 0.5}))
    one = send_all(study, uri)

    runs = {name: one.connect().get_run(run_id) for name, run_id in one.state.run_ids.items()}
    assert runs[key].info.run_id != deleted
    assert {run.info.lifecycle_stage for run in runs.values()} == {"active"}
    assert runs["0000"].data.tags["mlflow.parentRunId"] == runs["study"].info.run_id
    assert history(one, "0000", "loss") == [1.0, 0.5]
    assert MlflowFolder(study).is_complete(uri)
    assert not (study.mlflow / "rejected.jsonl").exists()


def test_a_long_log_is_kept_by_its_end(study: StudyPaths, uri: str) -> None:
    log = study.root / "train.log"
    log.write_text("first line\n" + "x" * 99 + "\n" + "y\n" * 50_000 + "last line\n")
    append(study, FileAttached(run="0000", path="train.log"))

    one = send_all(study, uri)

    client = one.connect()
    text = Path(client.download_artifacts(one.state.run_ids["0000"], "train.log")).read_text(encoding="utf-8")
    assert text.startswith("[... the last 64 KiB ...]\n")
    assert text.endswith("last line\n")
    assert "first line" not in text


def test_a_file_that_is_gone_is_set_aside(study: StudyPaths, uri: str) -> None:
    append(study, FileAttached(run="0000", path="gone.yaml"))

    send_all(study, uri)

    assert any("the file is gone" in upload["reason"] for upload in rejected(study))


@pytest.mark.parametrize("kind", ["a named pipe", "a link to a file outside the folder of its trial"])
def test_nothing_from_outside_the_folder_of_a_trial_becomes_an_artifact(
    study: StudyPaths, uri: str, tmp_path: Path, kind: str
) -> None:
    folder = study.attempt(0).root / "panels"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("the secret of this machine", encoding="utf-8")
    if kind == "a named pipe":
        os.mkfifo(folder / "a.png")
    else:
        (folder / "a.png").symlink_to(tmp_path / "secret")
    append(study, FileAttached(run="0000", path="trials/0000/panels/a.png", folder="panels"))

    one = send_all(study, uri)

    client = one.connect()
    assert client.list_artifacts(one.state.run_ids["0000"], "panels") == []

    assert any(f"0000/panels/a.png was not read: it is {kind}" in upload["reason"] for upload in rejected(study))


def test_names_that_no_event_should_hold_hold_nothing_back(study: StudyPaths, uri: str) -> None:
    long = ["m" * 300 + end for end in "12"]
    append(study, measured(0, 0, {"": 0.1, "half \ud800": 0.2, long[0]: 0.3, long[1]: 0.4, "val/d1": 0.5}))

    one = send_all(study, uri)

    client = one.connect()
    metrics = client.get_run(one.state.run_ids["0000"]).data.metrics
    assert sorted(metrics.values()) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert not (study.mlflow / "rejected.jsonl").exists()


def test_the_experiment_has_the_view_of_the_study(study: StudyPaths, uri: str) -> None:
    one = send_all(study, uri)
    client = one.connect()

    view = json.loads(client.get_experiment(one.experiment_id).tags[f"mlflow.sharedViewState.{one.study_id}"])

    (chart,), (section,) = view["compareRunCharts"], view["compareRunSections"]
    plan = read_plan(study)
    assert one.state.has_view
    assert chart["selectedParams"] == [stored_name(parameter.path) for parameter in plan.space.parameters]
    assert chart["selectedMetrics"] == [plan.objective.metric, "automl.best"]
    assert chart["metricSectionId"] == section["uuid"]
    shown = client.search_runs([one.experiment_id], view["searchFilter"])
    assert [run.info.run_id for run in shown] == [one.state.run_ids["0000"]]


def test_a_view_with_more_parameters_than_a_tag_holds_has_the_first_ones(study: StudyPaths) -> None:
    plan = read_plan(study)
    (first, *_) = plan.space.parameters
    many = tuple(replace(first, path=f"train.parameter_{number}") for number in range(300))

    _, text = view_tag(replace(plan, space=replace(plan.space, parameters=many)), "id")

    names = json.loads(text)["compareRunCharts"][0]["selectedParams"]
    assert names == [parameter.path for parameter in many[: len(names)]]
    assert 4900 < len(text) <= 5000
