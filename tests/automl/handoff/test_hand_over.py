"""After a study: champion, registration, report; and what a trainer without checkpoints gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from automl.handoff.action_spec import ActionOptions
from automl.handoff.evaluation import Evaluator
from automl.handoff.hand_over import hand_over
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.storage.study_directory import write_result
from automl.tracking.mlflow.outbox import FOLDER, Outbox
from automl.tracking.mlflow.projection import UploadKind
from automl.tracking.mlflow.tracker import MlflowTracker
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


def test_the_champion_is_queued_for_registration_with_its_spec_and_report(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root
    tracker = MlflowTracker("sqlite:///unused.db", "demo", root / FOLDER)

    champion = hand_over(root, tracker, reporting(root))

    assert champion is not None
    entries, _ = Outbox(root / FOLDER).read(0)
    assert [entry.data["name"] for entry in entries if entry.kind is UploadKind.MODEL] == ["demo"]
    kept = [entry.data["path"] for entry in entries if entry.kind is UploadKind.ARTIFACT]
    assert kept == ["best_spec.yaml", "best.json", "evaluations.json", "report.html"]
    assert all((root / name).is_file() for name in kept)


def test_a_trainer_without_checkpoints_keeps_its_study_and_gets_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = write_study(tmp_path / "demo")
    write_result(directory, replace(RESULTS[4], checkpoint=None))
    tracker = MlflowTracker("sqlite:///unused.db", "demo", directory.root / FOLDER)

    champion = hand_over(directory.root, tracker, reporting(directory.root))

    assert champion is None
    assert "left no checkpoint" in caplog.text
    assert (directory.root / "report.html").is_file()
