"""`automl compare` ranks trials."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from automl.storage.documents import write_document
from automl.study.trial import TrialState
from tests.automl.cli.study_folder import TRIALS, write_study

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_trials_come_best_first_and_those_without_a_value_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command_line(["compare", str(write_study(tmp_path / "a")), "--json"])

    trials = json.loads(capsys.readouterr().out)["trials"]
    assert [row["trial"] for row in trials] == [2, 0, 1, 3]
    assert trials[2]["reason"] == "train_loss is nan in epoch 0"


def test_two_studies_are_listed_together_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(write_study(tmp_path / name)) for name in ("a", "b")]

    run_command_line(["compare", *folders, "--csv", "--top", "1"])

    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["study"], row["trial"], row["train.lr"]) for row in rows] == [("a", "2", "0.05"), ("b", "2", "0.05")]


def test_the_table_shows_the_parameters_that_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["compare", str(write_study(tmp_path / "a"))])

    header = capsys.readouterr().out.splitlines()[1]
    assert header.split() == ["trial", "state", "val/d1", "epoch", "time", "lr"]


def test_several_studies_are_one_table_below_what_they_differ_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (write_study(tmp_path / name, (TRIALS[n],)) for name, n in (("a", 0), ("b", 2)))
    plan = json.loads((second / "plan.json").read_text(encoding="utf-8"))
    write_document(second / "plan.json", {**plan, "sampler": "random"})

    assert run_command_line(["compare", str(first), str(second)]) == 0
    settings, table = capsys.readouterr().out.split("\n\n")

    assert [line.split() for line in settings.splitlines()] == [["setting", "a", "b"], ["sampler", "auto", "random"]]
    head, *rows = (line.split() for line in table.splitlines()[1:])
    assert head[:4] == ["study", "trial", "state", "val/d1"]
    assert [row[:2] for row in rows] == [["b", "2"], ["a", "0"]]
    assert run_command_line(["compare", str(first), str(first)]) == 2


def test_a_trial_of_a_killed_study_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = str(write_study(tmp_path / "a", (replace(TRIALS[0], state=TrialState.RUNNING),)))

    run_command_line(["compare", study, "--json"])
    (row,) = json.loads(capsys.readouterr().out)["trials"]
    run_command_line(["compare", study])
    table = capsys.readouterr().out

    assert (row["state"], row["reason"]) == ("INTERRUPTED", "its process was killed")
    assert "interrupted" in table
    assert "running" not in table


def test_of_many_trials_the_first_hundred_are_shown_unless_more_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "many", tuple(replace(TRIALS[0], number=number) for number in range(130)))

    run_command_line(["compare", str(root)])
    shown = capsys.readouterr().out
    run_command_line(["compare", str(root), "--top", "130"])
    everything = capsys.readouterr().out

    assert shown.count("completed") == 100
    assert "... and 30 more" in shown
    assert everything.count("completed") == 130
