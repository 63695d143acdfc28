"""The launch review: exact first trials and an honest estimate."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from automl.review import describe_machine, estimate_time, first_proposals, review_plan
from automl.run import make_plan
from automl.study.place import RunPlace
from automl.study.request import StudyRequest
from tests.automl.cli.study_folder import write_study
from tests.automl.study.examples import CPU_MACHINE, GPU_MACHINE
from tests.automl.study.examples import make_plan as example_plan

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = StudyRequest(skill="toy", name="example", trials=4)


def test_the_first_trials_are_exact_and_repeatable(tmp_path: Path) -> None:
    plan = make_plan(REQUEST, RunPlace(results=tmp_path))

    first, again = first_proposals(plan), first_proposals(plan)

    assert first == again
    assert (first[0].assignment, first[0].origin) == (plan.first_trials[0], "template")
    assert len(first) == 4


def test_without_earlier_studies_the_time_is_not_invented(tmp_path: Path) -> None:
    estimate = estimate_time(example_plan(), tmp_path)

    assert estimate["seconds"] is None
    assert "no earlier study" in estimate["basis"]


def test_earlier_trials_of_the_same_skill_give_an_estimate(tmp_path: Path) -> None:
    write_study(tmp_path / "earlier")

    estimate = estimate_time(example_plan(), tmp_path)

    assert estimate["seconds"] == 10 * 12.5
    assert "median of 2 earlier trials" in estimate["basis"]


def test_the_time_limit_bounds_the_estimate(tmp_path: Path) -> None:
    write_study(tmp_path / "earlier")

    plan = example_plan()
    limited = dataclasses.replace(plan, budget=dataclasses.replace(plan.budget, time_s=60.0))

    assert estimate_time(limited, tmp_path)["seconds"] == 60.0


def test_the_review_has_the_promised_fields(tmp_path: Path) -> None:
    place = RunPlace(results=tmp_path)

    document = review_plan(REQUEST, make_plan(REQUEST, place), place)

    promised = {"route", "reasons", "skill", "objective", "sampler", "scheduler", "budget", "resources", "space"}
    assert promised | {"first_trials", "estimate", "fingerprint"} <= document.keys()


def test_the_review_says_where_trials_would_run() -> None:
    assert describe_machine(GPU_MACHINE, None) == "this one: 32 CPUs, " + ", ".join(["H200 (140 GiB)"] * 4)
    assert describe_machine(CPU_MACHINE, None) == "this one: 2 CPUs, no GPU"
    assert describe_machine(None, "10.0.0.1:6379") == "the Ray cluster at 10.0.0.1:6379"
