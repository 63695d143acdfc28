"""After a study: best checkpoint, registration, report; and what a trainer without checkpoints gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from automl.handoff.actions import ActionOptions
from automl.handoff.evaluation import Evaluator
from automl.handoff.hand_over import hand_over
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.storage.event_log import EventLog, read_log
from automl.study.events import FileAttached, ModelRegistered
from tests.automl.storage.recorded import write_result
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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

    best = hand_over(root, EventLog(directory.events_file), reporting(root))

    assert best is not None
    events = [entry.event for entry in read_log(directory.events_file)]
    assert [event.request["name"] for event in events if isinstance(event, ModelRegistered)] == ["demo"]
    kept = [event.path for event in events if isinstance(event, FileAttached)]
    assert kept == ["best_spec.yaml", "best.json", "evaluations.json", "report.html"]
    assert all((root / name).is_file() for name in kept)


def test_a_trainer_without_checkpoints_keeps_its_study_and_gets_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = write_study(tmp_path / "demo")
    write_result(directory, replace(RESULTS[4], checkpoint=None))

    best = hand_over(directory.root, EventLog(directory.events_file), reporting(directory.root))

    assert best is None
    assert "left no checkpoint" in caplog.text
    assert (directory.root / "report.html").is_file()
