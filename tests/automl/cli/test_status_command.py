"""`automl status` reads a study directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_json_has_the_promised_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")

    status = run_command_line(["status", str(root), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert status == 0
    promised = {"study_dir", "route", "reasons", "objective", "best", "trials", "mlflow", "evaluations"}
    assert document.keys() == promised | {"state", "end_reason", "notices"}
    assert (document["state"], document["end_reason"]) == ("interrupted", "its process was killed")
    assert document["best"] == {
        "trial": 2,
        "values": {"val/d1": 0.7, "val/d1_constant": 0.3},
        "epoch": 4,
        "checkpoint": "trials/0002/train/b.pth",
        "sha256": "bb",
    }
    assert document["mlflow"]["run_id"] == "abc"
    expected = {"number", "state", "reason", "assignment", "values", "best_epoch", "elapsed_s", "directory"}
    assert all(trial.keys() == expected for trial in document["trials"])


def test_text_counts_states_and_names_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")

    run_command_line(["status", str(root)])

    shown = capsys.readouterr().out
    assert "2 completed, 1 diverged, 1 failed" in shown
    assert "trial 2, val/d1 0.7000 at epoch 4" in shown


def test_a_folder_that_is_no_study_is_an_error_with_a_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["status", str(tmp_path)])

    assert status == 2
    assert "plan.json" in capsys.readouterr().err
