"""Estimate how long a study takes and how much it writes, from earlier studies of the same skill."""

from __future__ import annotations

import math
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.duration import format_duration
from automl.errors import ConfigurationError
from automl.preflight.findings import Finding, doubt, good
from automl.preflight.weights import named_weights
from automl.storage.paths import find_studies
from automl.storage.study_directory import read_study
from automl.study.replication import most_replicates
from automl.study.trial import TrialState
from automl.trial.checkpoints import size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult

# AdamW keeps two moments beside each weight.
_STATES_PER_WEIGHT = 3
# Logs and metrics of a trial, beside its checkpoints.
_REST_BYTES = 20 * 1024 * 1024


def earlier_trials(plan: StudyPlan, results: Path) -> tuple[TrialResult, ...]:
    """Read the completed trials of earlier studies of the same skill with the same number of epochs.

    Their checkpoints are absolute paths.
    """
    found: list[TrialResult] = []
    for paths in find_studies(results):
        try:
            document, result = read_study(paths.root)
        except (ConfigurationError, OSError):
            continue  # the folder of another program, or a study that is being written
        same_skill = document.skill.fingerprints == dict(plan.skill.fingerprints)
        if same_skill and document.max_epochs == plan.max_epochs:
            completed = (trial for trial in result.trials if trial.state is TrialState.COMPLETED)
            found += [
                replace(trial, checkpoint=str(paths.root / trial.checkpoint)) if trial.checkpoint else trial
                for trial in completed
            ]
    return tuple(found)


def estimate_time(plan: StudyPlan, earlier: Sequence[TrialResult]) -> dict[str, Any]:
    """Return the expected wall time in seconds and its basis; None where nothing is known.

    The basis is the median time of completed trials of earlier studies of the same skill with the same number of epochs
    in this results folder; trials that are stopped or diverge make it shorter.
    """
    times = [trial.elapsed_s for trial in earlier if trial.elapsed_s > 0]
    limit = plan.budget.time_s
    if not times:
        basis = "the time limit" if limit else "no earlier study like it in the results folder, no time limit"
        return {"seconds": limit, "basis": basis}
    again = most_replicates(plan)
    rounds = -(-plan.budget.trials // plan.resources.jobs) + -(-again // plan.resources.jobs)
    seconds = rounds * statistics.median(times)
    basis = f"{rounds} rounds of {statistics.median(times):.0f} s, the median of {len(times)} earlier trials"
    if limit is not None and limit < seconds:
        return {"seconds": limit, "basis": f"the time limit; without it {seconds:.0f} s: {basis}"}
    return {"seconds": seconds, "basis": basis}


def estimate_disk(plan: StudyPlan, earlier: Sequence[TrialResult]) -> int | None:
    """Return how many bytes a study writes at most; None where the size of a checkpoint is not known.

    Running trials hold the checkpoints of all their epochs; of the ended ones only the best is kept. A checkpoint is as
    large as one of an earlier study, else three times as large as the weights the training starts from.
    """
    sizes = [size for trial in earlier if trial.checkpoint is not None and (size := _size(trial.checkpoint))]
    if not sizes:
        weights = [_size(value) for _, value in named_weights(plan.spec.values)]
        sizes = [max(weights) * _STATES_PER_WEIGHT] if any(weights) else []
    if not sizes:
        return None
    key = plan.spec.first_of(plan.skill.keys.checkpoint_interval)
    interval = (plan.spec.count(key) if key is not None else None) or 1
    kept = math.ceil((plan.max_epochs or 1) / interval)
    return round(statistics.median(sizes) * (plan.resources.jobs * kept + 2)) + plan.budget.trials * _REST_BYTES


def time_finding(plan: StudyPlan, earlier: Sequence[TrialResult]) -> Finding:
    """Compare the expected time with the study's limit, and with the end of the Slurm job that this is part of."""
    expected = estimate_time(plan, earlier)
    seconds, basis, limit = expected["seconds"], expected["basis"], plan.budget.time_s
    text = f"{format_duration(seconds)} ({basis})" if seconds else f"unknown: {basis}"
    usual = statistics.median(trial.elapsed_s for trial in earlier) if earlier else 0.0
    if limit is not None and usual > limit:
        found = f"one trial takes {format_duration(usual)}, the limit is {format_duration(limit)}"
        return doubt("time", found, fix="raise --time, or lower the epochs: no trial would end by itself")
    ends_s = os.environ.get("SLURM_JOB_END_TIME", "")
    left = float(ends_s) - time.time() if ends_s.isdigit() else None
    if left is not None and seconds and seconds > left:
        found = f"{text}; the Slurm job ends in {format_duration(max(left, 0.0))}"
        return doubt("time", found, fix="ask for more time, or let the job be requeued (`automl cluster slurm`)")
    return good("time", text)


def _size(path: str) -> int:
    """Return the size of a file, or of all files of a folder; 0 where it cannot be read."""
    try:
        return size_of(Path("/", path))
    except OSError:
        return 0
