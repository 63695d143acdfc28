"""How long a study may take and how much it may write, from earlier studies of the same skill in the results folder."""

from __future__ import annotations

import math
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.duration import format_duration
from automl.errors import ConfigurationError
from automl.preflight.findings import Finding, doubt, good
from automl.preflight.weights import named_weights
from automl.storage.paths import find_studies
from automl.storage.study_directory import read_study
from automl.study.replicates import replicate_seeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult

# AdamW keeps two moments beside each weight.
_STATES_PER_WEIGHT = 3
# What reports, logs and the record of a trial take beside its checkpoints.
_REST_BYTES = 20 * 1024 * 1024


def estimate_time(plan: StudyPlan, results: Path) -> dict[str, Any]:
    """Return the expected wall time in seconds and what it rests on; None where nothing is known.

    The basis is the median time of completed trials of earlier studies of the same skill with the same number of epochs
    in this results folder; trials that are stopped or diverge make it shorter.
    """
    times = [trial.elapsed_s for trial, _ in _earlier_trials(plan, results) if trial.elapsed_s > 0]
    limit = plan.budget.time_s
    if not times:
        basis = "the time limit" if limit else "no earlier study of this skill in the results folder, no time limit"
        return {"seconds": limit, "basis": basis}
    again = plan.replicates * len(replicate_seeds(plan)) if plan.replicates else 0
    rounds = -(-plan.budget.trials // plan.resources.jobs) + -(-again // plan.resources.jobs)
    seconds = rounds * statistics.median(times)
    basis = f"{rounds} rounds of {statistics.median(times):.0f} s, the median of {len(times)} earlier trials"
    if limit is not None and limit < seconds:
        return {"seconds": limit, "basis": f"the time limit; without it {seconds:.0f} s: {basis}"}
    return {"seconds": seconds, "basis": basis}


def estimate_disk(plan: StudyPlan, results: Path) -> int | None:
    """Return how many bytes a study may write at most; None where the size of a checkpoint is not known.

    Running trials hold the checkpoints of all their epochs; of the ended ones only the best is kept. The size of one is
    that of an earlier study's, else three times that of the weights the training starts from.
    """
    sizes = [size for trial, root in _earlier_trials(plan, results) if (size := _size(root, trial.checkpoint))]
    if not sizes:
        weights = [_size(Path("/"), value) or 0 for _, value in named_weights(plan.spec.values)]
        sizes = [max(weights) * _STATES_PER_WEIGHT] if any(weights) else []
    if not sizes:
        return None
    key = plan.spec.first_of(plan.skill.keys.checkpoint_interval)
    interval = (plan.spec.count(key) if key is not None else None) or 1
    kept = math.ceil((plan.max_epochs or 1) / interval)
    return round(statistics.median(sizes) * (plan.resources.jobs * kept + 2)) + plan.budget.trials * _REST_BYTES


def time_finding(plan: StudyPlan, results: Path) -> Finding:
    """Compare the expected time with the study's limit and with the end of a Slurm job, where this is one."""
    expected = estimate_time(plan, results)
    seconds, basis, limit = expected["seconds"], expected["basis"], plan.budget.time_s
    words = f"{format_duration(seconds)} ({basis})" if seconds else f"unknown: {basis}"
    times = [trial.elapsed_s for trial, _ in _earlier_trials(plan, results)]
    longest = statistics.median(times) if times else 0.0
    if limit is not None and longest > limit:
        found = f"one trial takes {format_duration(longest)}, the limit is {format_duration(limit)}"
        return doubt("time", found, fix="raise --time, or lower the epochs: no trial would end by itself")
    ends_s = os.environ.get("SLURM_JOB_END_TIME", "")
    left = float(ends_s) - time.time() if ends_s.isdigit() else None
    if left is not None and seconds and seconds > left:
        found = f"{words}; the Slurm job ends in {format_duration(max(left, 0.0))}"
        return doubt("time", found, fix="ask for more time, or let the job be requeued (`automl cluster slurm`)")
    return good("time", words)


def _earlier_trials(plan: StudyPlan, results: Path) -> Iterator[tuple[TrialResult, Path]]:
    for paths in find_studies(results):
        try:
            document, result = read_study(paths.root)
        except (ConfigurationError, OSError):
            continue  # another program's folder, or a study being written
        same_skill = document.skill.fingerprints == dict(plan.skill.fingerprints)
        if same_skill and document.max_epochs == plan.max_epochs:
            yield from ((trial, paths.root) for trial in result.trials if trial.state.value == "COMPLETED")


def _size(root: Path, name: str | None) -> int | None:
    if name is None:
        return None
    try:
        path = root / name
        if path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) or None
        return path.stat().st_size or None
    except OSError:
        return None
