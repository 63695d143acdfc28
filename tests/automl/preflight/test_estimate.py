"""Estimates of time and disk rest on earlier studies, and invent nothing."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from automl.preflight.estimate import earlier_trials, estimate_disk, estimate_time, time_finding
from automl.preflight.findings import Level
from automl.spec.model import Spec
from tests.automl.cli.study_folder import write_study
from tests.automl.study.examples import make_plan as example_plan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from automl.study.model import StudyPlan


def limited(seconds: float) -> StudyPlan:
    plan = example_plan()
    return dataclasses.replace(plan, budget=dataclasses.replace(plan.budget, time_s=seconds))


def test_without_earlier_studies_the_time_is_not_invented(tmp_path: Path) -> None:
    estimate = estimate_time(example_plan(), earlier_trials(example_plan(), tmp_path))

    assert estimate["seconds"] is None
    assert "no earlier study" in estimate["basis"]


def test_earlier_trials_of_the_same_skill_give_an_estimate(tmp_path: Path) -> None:
    write_study(tmp_path / "earlier")

    estimate = estimate_time(example_plan(), earlier_trials(example_plan(), tmp_path))

    assert estimate["seconds"] == 10 * 12.5
    assert "median of 2 earlier trials" in estimate["basis"]


def test_the_time_limit_bounds_the_estimate(tmp_path: Path) -> None:
    write_study(tmp_path / "earlier")

    assert estimate_time(limited(60.0), earlier_trials(limited(60.0), tmp_path))["seconds"] == 60.0


def test_disk_is_what_running_trials_hold_in_checkpoints_of_known_size(tmp_path: Path) -> None:
    root = write_study(tmp_path / "earlier")
    for name in ("trials/0000/train/a.pth", "trials/0002/train/b.pth"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(3_000_000))
    plan = example_plan()

    needed = estimate_disk(plan, earlier_trials(plan, tmp_path))

    assert needed is not None
    assert needed == 3_000_000 * (plan.resources.jobs * 5 + 2) + plan.budget.trials * 20 * 2**20


def test_without_an_earlier_study_the_weights_tell_the_size_of_a_checkpoint(tmp_path: Path) -> None:
    weights = tmp_path / "vit.pth"
    weights.write_bytes(bytes(1_000_000))
    spec = Spec(values={"train": {"num_epochs": 1, "lr": 0.01, "num_gpus": 1, "pretrained_model_path": str(weights)}})
    plan = example_plan(spec=spec)

    assert estimate_disk(example_plan(), earlier_trials(example_plan(), tmp_path)) is None
    assert (
        estimate_disk(plan, earlier_trials(plan, tmp_path))
        == 3_000_000 * (plan.resources.jobs + 2) + plan.budget.trials * 20 * 2**20
    )


def test_a_limit_shorter_than_one_trial_is_doubted(tmp_path: Path) -> None:
    write_study(tmp_path / "earlier")

    assert time_finding(limited(5.0), earlier_trials(limited(5.0), tmp_path)).level is Level.WARN
    assert time_finding(limited(500.0), earlier_trials(limited(500.0), tmp_path)).level is Level.OK


def test_a_slurm_job_that_ends_before_the_study_is_doubted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path / "earlier")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 60))

    finding = time_finding(example_plan(), earlier_trials(example_plan(), tmp_path))

    assert finding.level is Level.WARN
    assert "the Slurm job ends in" in finding.found
