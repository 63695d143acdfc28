"""An action after the study is a run of its own in MLflow, and a server that is down loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.handoff.action_spec import ActionOptions
from automl.handoff.actions import run_recorded
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.study.evaluation import ActionStatus
from automl.study.events import ActionEnded
from tests.automl.handoff.depth_study import write_depth_study
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KPI = '{"status": "RUNNING", "message": "Test metrics generated.", "kpi": {"val/d1": 0.5}}\n'
# Nothing listens there, so that no test waits for MLflow.
NOWHERE = {"tracking_uri": "http://127.0.0.1:9", "experiment": "demo", "run_id": None}


def study(folder: Path, **changes: Any) -> Path:  # noqa: ANN401 # fields of plan.json
    return write_depth_study(folder / "demo", **{"mlflow": NOWHERE, **changes}).root


def test_an_action_is_an_event_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = study(tmp_path)
    monkeypatch.setattr("automl.tracking.mlflow.tracker.start_writer", _refuse)
    launcher = ScriptedLauncher(lambda _: Script(writes=(ScriptedWrite(text=KPI, file="evaluate/status.json"),)))

    result = run_recorded(root, "evaluate", launcher, ActionOptions())

    assert result.status is ActionStatus.MEASURED
    *_, event = (entry.event for entry in read_log(StudyPaths(root).events_file))
    assert isinstance(event, ActionEnded)
    assert (event.key, event.result["values"]) == ("evaluate-1", {"val/d1": 0.5})


def test_an_action_that_was_not_started_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = study(tmp_path)
    monkeypatch.setattr("automl.tracking.mlflow.tracker.start_writer", _refuse)

    result = run_recorded(root, "prune", ScriptedLauncher(lambda _: Script()), ActionOptions())

    assert result.status is ActionStatus.UNAVAILABLE
    assert not any(isinstance(entry.event, ActionEnded) for entry in read_log(StudyPaths(root).events_file))


def _refuse(*_: object, **__: object) -> None:
    raise OSError("no process can be started")
