"""Bad input: the message, the exit status, and nothing half-written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import automl, studies
from tests.acceptance.scripted_skill import build_scripted_skill

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no/such-study"], "no/such-study"),
        (["run", "--skill", "no/such-skill"], "no/such-skill"),
        (["run", "toy/quick", "--set", "train.optim.lrr=1"], "did you mean"),
        (["run", "toy/quick", "--search", "train.optim.lr=5..1"], "train.optim.lr"),
        (["run", "toy/quick", "--sampler", "tpee"], "did you mean tpe?"),
        (["run", "toy/quick", "--scheduler", "ashaa"], "did you mean asha?"),
        (["run", "--skill", "toy", "--metric", "val/unheard_of"], "direction"),
        (["run", "toy/quick", "--gpus-per-trial", "64"], "64 GPUs"),
        (["run", "--skill", "depth_net_mono"], "data"),
        (["plan", "toy/quick", "--data", "train"], "SPLIT=PATH"),
        (["plan", "toy/quick", "--warm-start", "x" * 300], "name too long"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_bad_input_ends_with_2_and_writes_no_study(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = automl(*arguments, "--json", results=tmp_path)

    assert done.status == 2, done.err
    assert done.err.startswith("error: ")
    assert said in done.err
    assert "fix" in done.err
    assert f"error: {done.document['error']}" in done.err
    assert studies(tmp_path) == []


def test_an_unreadable_study_file_names_all_its_problems(tmp_path: Path) -> None:
    study = tmp_path / "bad.yaml"
    study.write_text("skill: toy\nsamplr: tpe\nbudget: {trials: none}\n", encoding="utf-8")

    done = automl("run", str(study), results=tmp_path)

    assert done.status == 2
    assert "2 problems in the study" in done.err


def test_keys_of_a_spec_that_are_no_paths_and_names_that_no_folder_can_have_are_problems(tmp_path: Path) -> None:
    spec, study = tmp_path / "spec.yaml", tmp_path / "study.yaml"
    spec.write_text("train: {optim: {'../../../etc/passwd': 1}}\n", encoding="utf-8")
    study.write_text(f"skill: toy\nname: {'x' * 300}\n", encoding="utf-8")

    of_spec = automl("plan", "--skill", "toy", "--spec", str(spec), results=tmp_path)
    of_study = automl("check", str(study), results=tmp_path)

    assert (of_spec.status, of_study.status) == (0, 2)
    assert "--spec train.optim.../../../etc/passwd" in of_spec.out
    assert "name" in of_study.out + of_study.err


def test_a_trainer_that_dies_at_once_is_one_summary_and_exit_5(tmp_path: Path) -> None:
    skill = build_scripted_skill(tmp_path / "skill", faults=[{"kind": "exit", "status": 3}])

    done = automl("run", "--skill", str(skill), "--trials", "3", "--json", results=tmp_path)

    assert done.status == 5, done.err
    assert done.err.count("error: ") == 1
    assert "the study was ended: " in done.err
    assert "train.log" in done.err


@pytest.mark.slow
def test_a_metric_that_the_trainer_never_reports_is_named(tmp_path: Path) -> None:
    skill = build_scripted_skill(tmp_path / "skill")

    done = automl(
        *("run", "--skill", str(skill), "--trials", "2", "--metric", "val/never", "--direction", "maximize"),
        results=tmp_path,
    )

    assert done.status == 5, done.err
    assert "metric_missing" in done.err
    assert "val/never" in done.err
