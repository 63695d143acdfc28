"""The launch review: exact first trials and an honest estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.review import describe_machine, first_proposals, review_plan
from automl.run import make_plan
from tests.automl.study.examples import CPU_MACHINE, GPU_MACHINE

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=4)


def test_the_first_trials_are_exact_and_repeatable(tmp_path: Path) -> None:
    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    (first, _), (again, _) = first_proposals(plan), first_proposals(plan)

    assert first == again
    assert (first[0].assignment, str(first[0].origin)) == (plan.first_trials[0], "template")
    assert len(first) == 4


def test_the_review_has_the_promised_fields(tmp_path: Path) -> None:
    place = RunLocation(results=tmp_path)

    document = review_plan(REQUEST, make_plan(REQUEST, place), place)

    promised = {"route", "reasons", "skill", "objective", "sampler", "scheduler", "budget", "resources", "space"}
    assert promised | {"first_trials", "estimate", "fingerprint"} <= document.keys()


def test_the_review_says_where_trials_would_run() -> None:
    assert describe_machine(GPU_MACHINE, None) == "this one: 32 CPUs, " + ", ".join(["H200 (140 GiB)"] * 4)
    assert describe_machine(CPU_MACHINE, None) == "this one: 2 CPUs, no GPU"
    assert describe_machine(None, "10.0.0.1:6379") == "the Ray cluster at 10.0.0.1:6379"
