"""`automl stop` asks running trials to end."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from automl.study.trial import TrialState
from automl.tuning.stop_request import read_stop_request
from tests.automl.cli.study_folder import TRIALS, write_study

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_only_running_trials_are_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = dataclasses.replace(TRIALS[0], number=7, state=TrialState.RUNNING, values={}, directory="trials/0007")
    root = write_study(tmp_path / "example", (*TRIALS, running))

    status = run_command_line(["stop", str(root)])

    assert status == 0
    assert capsys.readouterr().out == "trial 7 is asked to stop\n"
    assert read_stop_request(root / "trials" / "0007") == "stopped by the user"
    assert not (root / "trials" / "0000" / "stop").exists()


def test_without_a_running_trial_there_is_nothing_to_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")

    assert run_command_line(["stop", str(root), "--trial", "0"]) == 3
    assert "trial 0" in capsys.readouterr().err
