"""From a proposal to the task of one attempt: directory, complete spec, tag, limits."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.launch.mounts import readable_paths
from automl.skill.model import SlotKind
from automl.spec.complete import ActionRun, complete_spec
from automl.spec.model import iterate_leaves
from automl.trial.task import TrialCommand, TrialLimits, TrialTask, TrialWatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.trial import Proposal
    from automl.trial.attempts import Start


EVALUATE_LIMIT_S = 600.0
"""What `--evaluate-with` may take for one trial, unless the option ``evaluate_limit_s`` says otherwise."""

_WORKER_KEYS = {"workers", "num_workers"}


def study_tag(plan: StudyPlan, directory: Path) -> str:
    """Return the prefix of the tags of a study's trials; the same after a resume, another for another directory."""
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:8]
    name = "".join(character if character.isalnum() or character in "-_" else "-" for character in plan.name)
    return f"{name}-{digest}"


def build_task(plan: StudyPlan, directory: StudyPaths, proposal: Proposal, start: Start) -> TrialTask:
    """Return everything that one attempt of a trial needs.

    Raises:
        ConfigurationError: a key of the skill leads through a value of the spec.
    """
    action = plan.skill.actions[plan.action]
    folder = directory.attempt(proposal.number, start.attempt).root
    values = {**proposal.assignment, **start.changes}
    run = ActionRun(results_dir=folder, assignment=values, resume_checkpoint=start.checkpoint)
    spec = complete_spec(plan.spec, plan.skill, plan.action, run)
    if plan.seed_key is not None and proposal.seed is not None:
        spec = spec.with_values({plan.seed_key: proposal.seed}, origin="replicate")
    launch = plan.launch
    spec = spec.with_values(_resource_values(plan), origin="resources")
    spec = spec.with_values(
        {slot.key: str(folder) for slot in action.outputs if slot.kind is SlotKind.FOLDER}, origin="output"
    )
    return TrialTask(
        proposal=replace(proposal, assignment=dict(proposal.assignment)),
        start=start,
        study_directory=directory.root,
        directory=folder,
        command=TrialCommand(
            template=action.command,
            spec=spec.values,
            tag=f"{study_tag(plan, directory.root)}/{proposal.number:04d}/{start.attempt}",
            config_format=action.config_format,
            threads=plan.resources.threads_per_trial,
            image=launch.image,
            read_only=readable_paths(spec.values, launch.mounts, own=folder) if launch.launcher.uses_image else (),
            credentials=launch.credentials,
            options=dict(launch.options),
        ),
        watch=TrialWatch(
            objective=plan.objective,
            naming=plan.skill.architecture.checkpoints,
            explosion=plan.options.get("explosion") is not False,
            max_epochs=plan.max_epochs,
            metric_file=action.metric_file,
            wanted=tuple(metric for metric in plan.wanted_metrics if metric != plan.objective.metric),
        ),
        limits=TrialLimits(
            stall_s=_seconds(plan.options, "silence_limit_s"),
            trial_s=_seconds(plan.options, "trial_time_limit_s"),
            evaluate_s=_seconds(plan.options, "evaluate_limit_s") or EVALUATE_LIMIT_S,
        ),
        evaluate_with=plan.evaluate_with,
    )


def _resource_values(plan: StudyPlan) -> dict[str, JsonValue]:
    """Return the GPU and node keys of the spec: the devices a trial sees count from 0 whatever they are outside."""
    gpus = math.ceil(plan.resources.gpus_per_trial)
    values: dict[str, JsonValue] = {}
    gpu_key = plan.skill.gpu_spec_key
    if gpu_key is not None and gpus > 0:
        values[gpu_key] = gpus
        ids_key = f"{gpu_key.rpartition('.')[0]}.gpu_ids".lstrip(".")
        if plan.spec.has(ids_key):
            values[ids_key] = list(range(gpus))
    node_key = plan.skill.node_spec_key
    if node_key is not None and plan.resources.nodes_per_trial > 1:
        values[node_key] = plan.resources.nodes_per_trial
    return values | _loader_workers(plan)


def _loader_workers(plan: StudyPlan) -> dict[str, JsonValue]:
    """Return the numbers of loading processes that exceed a trial's share of the CPUs, lowered to it.

    Each process of a trial, one per GPU, has its own. What the user or the search has set stays.
    """
    processes = max(1, math.ceil(plan.resources.gpus_per_trial))
    share = max(1, int(plan.resources.cpus_per_trial / processes))
    searched = set(plan.space.paths)
    return {
        path: share
        for path, value in iterate_leaves(plan.spec.values)
        if path.rpartition(".")[2] in _WORKER_KEYS
        and isinstance(value, int)
        and not isinstance(value, bool)
        and value > share
        and path not in searched
        and plan.spec.origins.get(path) not in {"override", "data"}
    }


def _seconds(options: Mapping[str, JsonValue], name: str) -> float | None:
    value = options.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
