"""`automl check`: every problem at once, nothing started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_ready_studies_have_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    for study in ("toy/quick", "toy/once", "depth_net_mono/demo", "depth_net_mono/relative"):
        assert run_command_line(["check", study]) == 0
    assert "0 problems" in capsys.readouterr().out


def test_problems_of_the_study_are_listed_and_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "bad.yaml"
    study.write_text("skill: toy\nsamplr: tpe\nbudget: {trials: 0}\n", encoding="utf-8")

    status = run_command_line(["check", str(study), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert status == 2
    assert len(document["problems"]) == 2
    assert document["problems"][0].keys() == {"where", "found", "expected", "fix"}


def test_a_spec_file_with_a_misspelt_key_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("train: {optim: {lrr: 0.1}}\n", encoding="utf-8")

    status = run_command_line(["check", "--skill", "toy", "--spec", str(spec)])

    assert status == 2
    assert "train.optim.lr" in capsys.readouterr().out


def test_sampler_and_rule_are_checked_too(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["check", "toy/quick", "--sampler", "tpee", "--scheduler", "ashaa"])

    shown = capsys.readouterr().out
    assert status == 2
    assert "did you mean tpe?" in shown
    assert "did you mean asha?" in shown
