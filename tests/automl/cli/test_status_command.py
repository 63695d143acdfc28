"""`automl status` reads a study directory."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from automl.cli.watch import Watched, _head
from automl.html_report.page import write_report
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.study.events import Measured
from automl.study.trial import TrialState
from tests.automl.cli.study_folder import TRIALS, write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_json_has_the_promised_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")

    status = run_command_line(["status", str(root), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert status == 0
    promised = {"study_dir", "route", "reasons", "objective", "best", "trials", "mlflow", "evaluations"}
    assert document.keys() == promised | {"state", "end_reason", "notices", "weighed_by"}
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
    assert "trial 2, val/d1 0.7000 at epoch 5 of 5" in shown


def test_a_study_has_the_name_of_its_folder_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example").rename(tmp_path / "x")

    run_command_line(["status", str(root)])
    live = next(value for name, value in _head(Watched(root)) if name == "study")
    page = write_report(root).read_text(encoding="utf-8")

    assert f"x  {root}" in capsys.readouterr().out
    assert str(live).startswith("x, ")
    assert "<title>x" in page


def test_a_trial_that_runs_is_shown_with_its_epoch_and_latest_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.storage.final_status.running_process", lambda _: 42)
    root = write_study(tmp_path / "example", (replace(TRIALS[0], state=TrialState.RUNNING),))
    log = EventLog(StudyPaths(root).events_file)
    log.append(Measured(trial=0, epoch=2, step=None, max_epochs=8, values={"val/d1": 0.55}))
    log.append(Measured(trial=0, epoch=3, step=None, max_epochs=8, values={"train_loss": 0.1}))
    log.close()

    run_command_line(["status", str(root)])

    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row[:4] == ["0", "running", "0.5500", "4"]


@pytest.mark.parametrize("name", ["toy", "older"])
def test_a_study_is_named_by_its_skill_or_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AUTOML_RESULTS", str(tmp_path))
    for folder, made_s in (("older", 1000.0), ("newer", 2000.0)):
        os.utime(write_study(tmp_path / folder) / "plan.json", (made_s, made_s))

    assert run_command_line(["status", name]) == 0

    shown, said = capsys.readouterr()
    chosen = {"toy": "newer", "older": "older"}[name]
    assert f"{tmp_path}/{chosen}" in shown
    assert said.startswith(f"study {tmp_path}/{chosen}: ")
    assert len(said.splitlines()) == 1


def test_what_is_no_study_is_an_error_that_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said_of(folder: Path) -> str:
        assert run_command_line(["status", str(folder)]) == 2
        return capsys.readouterr().err

    assert "no readable plan.json in it" in said_of(tmp_path)
    assert "no such folder" in said_of(tmp_path / "nowhere")
    root = write_study(tmp_path / "example")
    assert f"name the folder of one study, e.g. {root}" in said_of(tmp_path)


def test_a_torn_plan_is_named_with_where_a_copy_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")
    (root / "plan.json").write_text("{torn", encoding="utf-8")

    assert run_command_line(["status", str(root)]) == 2

    said = capsys.readouterr().err
    assert f"{root}/plan.json" in said
    assert "restore plan.json from a copy: MLflow has one among the artifacts of the study's run" in said


def test_a_file_in_place_of_a_folder_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")
    (root / "tracking").write_text("", encoding="utf-8")

    assert run_command_line(["status", str(root)]) == 2

    shown = capsys.readouterr().err
    assert f"{root}/tracking" in shown
    assert "it lies below what is no folder" in shown
