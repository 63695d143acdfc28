"""`automl stop` asks a study, or a running trial, to end."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from automl.study.trial import TrialState
from automl.trial.stop_request import read_stop_request
from tests.automl.cli.study_folder import TRIALS, write_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study that process 4711 runs, with trial 7 under way."""
    monkeypatch.setattr("automl.cli.study_commands.running_process", lambda _: 4711)
    running = dataclasses.replace(TRIALS[0], number=7, state=TrialState.RUNNING, values={}, directory="trials/0007")
    return write_study(tmp_path / "example", (*TRIALS, running))


def test_only_the_named_trial_is_asked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["stop", str(root), "--trial", "7"])

    assert status == 0
    assert capsys.readouterr().out == "trial 7 is asked to stop\n"
    assert str(read_stop_request(root / "trials" / "0007")) == "stopped by the user"
    assert read_stop_request(root) is None


def test_without_a_trial_the_study_is_asked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["stop", str(root)]) == 0

    assert "process 4711" in capsys.readouterr().out
    assert str(read_stop_request(root)) == "stopped by the user"
    assert read_stop_request(root / "trials" / "0007") is None


def test_a_trial_that_has_ended_cannot_be_stopped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["stop", str(root), "--trial", "0"]) == 3
    assert "trial 0" in capsys.readouterr().err


def test_a_study_that_nobody_runs_cannot_be_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")

    assert run_command_line(["stop", str(root)]) == 3
    assert "no process runs" in capsys.readouterr().err


def test_json_says_what_was_asked_to_stop(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["stop", str(root), "--trial", "7", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document == {"study_dir": str(root), "trial": 7, "text": "trial 7 is asked to stop"}
