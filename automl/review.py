"""The launch review of `automl plan`: the plan, plus what a person wants to know before anything is spent."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.policy import Route
from automl.preflight.estimate import estimate_time
from automl.preflight.inputs import describe_data
from automl.study.machine import detect_machine
from automl.study.place import next_study_directory
from automl.study.plan import TEMPLATE, plan_document
from automl.study.trial import Proposal

if TYPE_CHECKING:
    from automl.study.machine import Machine
    from automl.study.model import StudyPlan
    from automl.study.place import RunPlace
    from automl.study.request import StudyRequest

_FIRST_TRIALS = 5


def review_plan(request: StudyRequest, plan: StudyPlan, place: RunPlace) -> dict[str, Any]:
    """Return the JSON form of the plan with the exact first assignments, the data and the expected time."""
    first = first_proposals(plan)
    return {
        **plan_document(plan),
        "machine": describe_machine(None if place.ray_address else detect_machine(), place.ray_address),
        "study_dir": str(next_study_directory(place.results, plan.name)),
        "data": describe_data(request, place.results),
        "first_trials": [dict(proposal.assignment) for proposal in first],
        "first_origins": [proposal.origin for proposal in first],
        "estimate": estimate_time(plan, place.results),
    }


def describe_machine(machine: Machine | None, ray_address: str | None) -> str:
    """Return where trials would run, in words."""
    if machine is None:
        return f"the Ray cluster at {ray_address}"
    gpus = [f"{gpu.name} ({gpu.memory_gib:.0f} GiB)" for gpu in machine.gpus]
    return f"this one: {machine.cpus} CPUs, {', '.join(gpus) if gpus else 'no GPU'}"


def first_proposals(plan: StudyPlan) -> tuple[Proposal, ...]:
    """Return what the searcher would propose first, before any result is known."""
    if plan.route is Route.TRAIN_ONCE:
        return (Proposal(number=0, assignment=plan.first_trials[0], origin=TEMPLATE),)
    from automl.search.factory import asks_language_model, make_searcher  # noqa: PLC0415 - optuna only for a plan

    # A dry run asks no language model: only what is known without it is shown.
    wanted = (
        len(plan.first_trials)
        if asks_language_model(plan)
        else min(plan.budget.trials, max(_FIRST_TRIALS, plan.resources.jobs))
    )
    with tempfile.TemporaryDirectory() as folder:
        searcher = make_searcher(plan, Path(folder) / "journal.log")
        try:
            proposals = [searcher.ask() for _ in range(wanted)]
        finally:
            searcher.close()
    return tuple(proposal for proposal in proposals if proposal is not None)
