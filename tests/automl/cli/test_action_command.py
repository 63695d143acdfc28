"""The hand-over commands: what they print, and their exit statuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.cli.app import run_command_line
from tests.automl.handoff.depth_study import CHECKPOINTS, write_depth_study
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

KPI = '{"status": "RUNNING", "message": "Test metrics generated.", "kpi": {"val/d1": 0.5}}\n'


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> ScriptedLauncher:
    """Every action ends well and reports one value; MLflow is not started."""
    made = ScriptedLauncher(lambda _: Script(writes=(ScriptedWrite(text=KPI, file="evaluate/status.json"),)))
    monkeypatch.setattr("automl.launch.choice.LocalLauncher", lambda: made)
    monkeypatch.setattr("automl.tracking.mlflow.tracker.MlflowTracker.close", lambda *_, **__: None)
    return made


@pytest.mark.parametrize(
    ("command", "action"),
    [("evaluate", "evaluate"), ("infer", "inference"), ("export", "export"), ("quantize", "quantize")],
)
def test_a_command_runs_the_skills_action_on_the_best_checkpoint(
    tmp_path: Path, launcher: ScriptedLauncher, command: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_depth_study(tmp_path / "demo").root

    status = run_command_line([command, str(root), "--json"])

    assert status == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["action"], document["trial"], document["epoch"]) == (action, 0, 1)
    assert document["checkpoint"] == f"best/{CHECKPOINTS[1]}"
    assert launcher.requests[0].command[:2] == ("depth_net", action)


def test_another_epoch_of_a_trial_can_be_named(
    tmp_path: Path, launcher: ScriptedLauncher, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_depth_study(tmp_path / "demo").root

    status = run_command_line(["evaluate", str(root), "--trial", "0", "--epoch", "0"])

    assert status == 0
    assert CHECKPOINTS[0] in capsys.readouterr().out
    assert len(launcher.requests) == 1


def test_a_protocol_reaches_the_spec_of_the_evaluation(
    tmp_path: Path, launcher: ScriptedLauncher, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_depth_study(tmp_path / "demo").root

    status = run_command_line(["evaluate", str(root), "--protocol", "kitti", "--json"])

    assert (status, len(launcher.requests)) == (0, 1)
    spec = root / json.loads(capsys.readouterr().out)["directory"] / "spec.yaml"
    assert yaml.safe_load(spec.read_text(encoding="utf-8"))["evaluate"]["protocol"] == "kitti"
    assert run_command_line(["export", str(root), "--protocol", "kitti"]) == 2


def test_what_cannot_be_started_is_bad_input(
    tmp_path: Path, launcher: ScriptedLauncher, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_depth_study(tmp_path / "demo").root

    assert run_command_line(["evaluate", str(root), "--trial", "7"]) == 2
    assert "no such trial" in capsys.readouterr().err
    assert run_command_line(["evaluate", str(root), "--set", "model.encoder=vitl"]) == 2
    assert "checkpoint has one shape" in capsys.readouterr().err
    assert run_command_line(["evaluate", str(tmp_path)]) == 2
    assert not launcher.requests


@pytest.mark.usefixtures("launcher")
def test_an_action_that_fails_names_the_cause_and_the_log(
    tmp_path: Path, launcher: ScriptedLauncher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_depth_study(tmp_path / "demo").root
    fails = ScriptedLauncher(lambda _: Script(writes=(ScriptedWrite(text="CUDA out of memory\n"),), exit_status=1))
    monkeypatch.setattr("automl.launch.choice.LocalLauncher", lambda: fails)

    assert run_command_line(["export", str(root)]) == 1
    error = capsys.readouterr().err
    assert "out of" in error
    assert "actions/export-1/export.log" in error
    assert not launcher.requests


@pytest.mark.parametrize("is_there", [True, False])
def test_no_action_is_run_in_the_folder_of_another_study(
    tmp_path: Path, launcher: ScriptedLauncher, capsys: pytest.CaptureFixture[str], *, is_there: bool
) -> None:
    own, other = (write_depth_study(tmp_path / name) for name in ("own", "other"))
    if is_there:
        other.actions.mkdir()
    own.actions.symlink_to(other.actions)

    status = run_command_line(["export", str(own.root)])

    assert (status, launcher.requests) == (2, [])
    assert f"{own.actions}\n    found     a link into another study ({other.actions})" in capsys.readouterr().err
    assert not is_there or list(other.actions.iterdir()) == []


def test_an_action_whose_folder_is_a_link_to_nothing_takes_the_next_name(
    tmp_path: Path, launcher: ScriptedLauncher
) -> None:
    own = write_depth_study(tmp_path / "own")
    own.actions.mkdir()
    own.action("export-1").root.symlink_to(tmp_path / "nowhere")

    assert run_command_line(["export", str(own.root)]) == 0
    assert launcher.requests[0].directory == own.action("export-2").root
    assert not (tmp_path / "nowhere").exists()
