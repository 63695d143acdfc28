"""The launch review of `automl plan`: the plan, with first trials, data, machine and expected time."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError
from automl.launch.choice import ready_launch
from automl.launch.images import find_image
from automl.machine import detect_machine
from automl.preflight.data import describe_data
from automl.preflight.doctor import before_run
from automl.preflight.estimate import earlier_trials, estimate_time
from automl.preflight.findings import failures
from automl.preflight.trainer_check import DEPTH_DATA
from automl.request.apply_text import request_document
from automl.request.location import next_study_directory
from automl.request.policy import Route
from automl.samplers.registry import asks_language_model, make_searcher
from automl.spec.inputs import pending_downloads
from automl.storage.documents import to_json
from automl.storage.plan_document import plan_document, run_fingerprint
from automl.study.causes import origins_document
from automl.study.earlier import Agreement
from automl.study.launch_plan import LauncherKind
from automl.study.trial import Proposal
from automl.tracking.mlflow.uri import default_tracking_uri, without_password
from automl.trial.reproduce import reproduce_command

if TYPE_CHECKING:
    from automl.machine import Machine
    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.study.launch_plan import LaunchPlan
    from automl.study.model import StudyPlan
    from automl.trial.reproduce import ReproduceCommand

_FIRST_TRIALS = 5


def review_plan(request: StudyRequest, plan: StudyPlan, place: RunLocation) -> dict[str, Any]:
    """Return the JSON form of the plan with the first assignments, the data, the time, and what a run would refuse."""
    (first, agreement), document = first_proposals(plan), plan_document(plan)
    rows = before_run(request, plan, place)
    return {
        **document,
        "launch": {**document["launch"], "image_presence": _image_presence(plan.launch)},
        "machine": describe_machine(None if place.ray_address else detect_machine(), place.ray_address),
        "study_dir": str(next_study_directory(place.results, plan.name)),
        "mlflow": {
            "tracking_uri": without_password(place.tracking_uri or default_tracking_uri(place.results)),
            "experiment": plan.experiment,
            "model": plan.model,
        },
        "data": describe_data(request, place.results),
        "data_check": [
            {"level": row.level.value, "where": row.check, "found": row.found, "fix": row.fix}
            for row in rows
            if row.check.startswith(DEPTH_DATA)
        ],
        "run_fingerprint": run_fingerprint(plan, place),
        "not_runnable": [dataclasses.asdict(row.problem()) for row in failures(rows)],
        "missing_weights": [
            {"parameter": problem.where, "found": problem.found, "fix": problem.fix}
            for problem in pending_downloads(plan.skill, plan.action, plan.spec)
        ],
        "request_text": request_document(request, plan.skill),
        "agreement": to_json(agreement, dict[str, Agreement]),
        "first_trials": [dict(proposal.assignment) for proposal in first],
        **origins_document(proposal.origin for proposal in first),
        "estimate": estimate_time(plan, earlier_trials(plan, place.results)),
    }


def reproduce_trial_0(plan: StudyPlan, place: RunLocation) -> ReproduceCommand:
    """Return what starts trial 0 of the study that `run` would make now; nothing is written.

    Raises:
        LaunchError: nothing here can run the trainer, or the engine that is asked for does not answer.
        ConfigurationError: the spec cannot be written in the format that the skill wants.
    """
    if plan.launch.launcher is LauncherKind.NONE:
        ready_launch(plan.launch)
    gpus = () if place.ray_address else detect_machine().gpus[: math.ceil(plan.resources.gpus_per_trial)]
    indices = tuple(str(gpu.index) for gpu in gpus)
    return reproduce_command(plan, next_study_directory(place.results, plan.name), gpus=indices)


def _image_presence(launch: LaunchPlan) -> str:
    if launch.image is None or not launch.launcher.uses_image:
        return ""
    try:
        image = find_image(launch.launcher, launch.image)
    except LaunchError as error:
        return error.headline
    if image is None:
        return "not here yet: pulled before the first trial"
    return f"here, {image.size_bytes / 1e9:.1f} GB, {image.digest[:80]}"


def describe_machine(machine: Machine | None, ray_address: str | None) -> str:
    """Return where trials would run."""
    if machine is None:
        return f"the Ray cluster at {ray_address}"
    gpus = [f"{gpu.name} ({gpu.memory_gib:.0f} GiB)" for gpu in machine.gpus]
    return f"this one: {machine.cpus} CPUs, {', '.join(gpus) if gpus else 'no GPU'}"


def first_proposals(plan: StudyPlan) -> tuple[tuple[Proposal, ...], dict[str, Agreement]]:
    """Return what the searcher would propose first, before any result is known, and how alike earlier studies are."""
    if plan.route is Route.TRAIN_ONCE:
        return (Proposal(number=0, assignment=plan.first_trials[0], origin=plan.origin),), {}
    wanted = min(plan.budget.trials, max(_FIRST_TRIALS, plan.resources.jobs))
    if asks_language_model(plan):  # a dry run calls none: only the trials that are known without it are shown
        wanted = len(plan.first_trials)
    searcher = make_searcher(plan)
    agreement = dict(searcher.agreement() or {})
    proposals = [searcher.ask() for _ in range(wanted)]
    return tuple(proposal for proposal in proposals if proposal is not None), agreement
