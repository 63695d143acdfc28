"""After a study: best checkpoint, registration, report; and what a trainer without checkpoints gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.errors import StudyFailedError
from automl.handoff.action_spec import ActionOptions
from automl.handoff.best import read_best
from automl.handoff.evaluation import Evaluator
from automl.handoff.hand_over import hand_over, missing_parts
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog, read_log
from automl.storage.paths import StudyPaths
from automl.study.evaluation import RecordLocation
from automl.study.events import FileAttached, HandedOver, ModelRegistered, StudyEnded, StudyStarted
from automl.study.trial import FailureKind, TrialState
from automl.tracking.mlflow.folder import MlflowFolder, UploadState
from tests.automl.storage.recorded import write_result
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path


def reporting(root: Path) -> Evaluator:
    """Return an evaluator whose action reports the objective."""
    line = '{"status": "RUNNING", "message": "Test metrics generated.", "kpi": {"val/d1": 0.5}}\n'
    script = Script(writes=(ScriptedWrite(text=line, file="evaluate/status.json"),))
    skill = builtin_skill("depth_net_mono")
    assert skill is not None
    return Evaluator(
        root=root, skill=load_skill(skill), launcher=ScriptedLauncher(lambda _: script), options=ActionOptions()
    )


def test_the_best_checkpoint_its_spec_and_the_report_are_events_of_the_study(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    root = directory.root

    best = hand_over(reporting(root))

    assert best is not None
    events = [entry.event for entry in read_log(directory.events_file)]
    assert [event.request["name"] for event in events if isinstance(event, ModelRegistered)] == ["demo"]
    kept = [event.path for event in events if isinstance(event, FileAttached)]
    assert kept == ["best_spec.yaml", "best.json", "evaluations.json", "report.html"]
    assert all((root / name).is_file() for name in kept)
    assert events[-1] == HandedOver(sha256=best.sha256)


def test_what_is_missing_is_named_whatever_was_left_undone(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    whole = ["best checkpoint", "evaluation", "registration", "report", "record"]

    assert missing_parts(directory, uri) == [*whole[:2], *whole[3:]]  # its log is of a version that does not say
    started = next(e.event for e in read_log(directory.events_file) if isinstance(e.event, StudyStarted))
    EventLog(directory.events_file).append(replace(started, log_version=3))
    EventLog(directory.events_file).append(StudyEnded(trials=5, best_trial=4, best_value=0.7))
    assert missing_parts(directory, uri) == whole
    hand_over(reporting(directory.root))
    assert missing_parts(directory, uri) == ["record"]
    (tmp_path / "mlflow.db").touch()
    write_document(directory.record_file, RecordLocation(tracking_uri=uri, experiment="demo"))
    MlflowFolder(directory).save_state(uri, UploadState(position=directory.events_file.stat().st_size))
    assert missing_parts(directory, uri) == []
    directory.report_file.unlink()
    directory.best_file.write_text("{", encoding="utf-8")
    assert missing_parts(directory, uri) == ["best checkpoint", "evaluation", "report"]


def test_a_study_without_a_usable_value_is_handed_over_too(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path / "demo")
    write_study(directory.root)
    for result in RESULTS:
        failed = replace(result, state=TrialState.FAILED, failure=FailureKind.TRAINER, reason="broken", values={})
        write_result(directory, failed)

    assert hand_over(reporting(directory.root)) is None

    assert [entry.event for entry in read_log(directory.events_file)][-1] == HandedOver(sha256=None)
    assert directory.report_file.is_file()
    assert missing_parts(directory, f"sqlite:///{tmp_path}/mlflow.db") == ["record"]


def test_a_best_checkpoint_that_cannot_be_kept_is_an_error_after_all_else_is_done(tmp_path: Path) -> None:
    directory, elsewhere = write_study(tmp_path / "demo"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    directory.best.symlink_to(elsewhere)

    with pytest.raises(StudyFailedError, match="the best checkpoint cannot be kept") as error:
        hand_over(reporting(directory.root))

    assert error.value.exit_status == 5
    assert [entry.event for entry in read_log(directory.events_file)][-1] == HandedOver(sha256=None)
    assert directory.report_file.is_file()
    assert list(elsewhere.iterdir()) == []
    directory.best.unlink()
    assert hand_over(reporting(directory.root)) is not None


def test_a_trainer_without_checkpoints_keeps_its_study_and_gets_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = write_study(tmp_path / "demo")
    write_result(directory, replace(RESULTS[4], checkpoint=None))

    best = hand_over(reporting(directory.root))

    assert best is not None
    assert (best.trial, best.checkpoint, best.sha256) == (4, "", "")
    assert "left no checkpoint" in caplog.text
    assert directory.best_spec.is_file()
    assert read_best(directory.root) == best
    assert missing_parts(directory, f"sqlite:///{tmp_path}/mlflow.db") == ["record"]
    assert (directory.root / "report.html").is_file()
    directory.best_file.unlink()
    assert missing_parts(directory, f"sqlite:///{tmp_path}/mlflow.db") == ["best.json", "record"]
