"""When a whole study ends: trials, time, GPU hours, target, no more improvement. Pure arithmetic over results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from automl.study.model import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.study.model import Budget, Objective
    from automl.study.trial import TrialResult

_S_PER_H = 3600.0


def study_stop(
    budget: Budget,
    objective: Objective,
    results: Sequence[TrialResult],
    *,
    elapsed_s: float,
    gpus_per_trial: float = 0.0,
) -> str | None:
    """Return why no further trial is started, or None while the study goes on.

    Args:
        budget: The limits.
        objective: The leading objective.
        results: Every trial that was started, ended or not, in the order in which they ended; running ones last.
        elapsed_s: Seconds since the study began, without the time it was interrupted.
        gpus_per_trial: GPUs that each trial holds.
    """
    checks = (
        _trials(budget, results),
        _time(budget, elapsed_s),
        _gpu_hours(budget, results, gpus_per_trial),
        _target(budget, objective, results),
        _patience(budget, objective, results),
    )
    return next((reason for reason in checks if reason is not None), None)


def must_end_now(budget: Budget, objective: Objective, results: Sequence[TrialResult], elapsed_s: float) -> str | None:
    """Return why running trials are stopped as well: the time is over or the target is reached; None otherwise."""
    return _time(budget, elapsed_s) or _target(budget, objective, results)


def _trials(budget: Budget, results: Sequence[TrialResult]) -> str | None:
    return f"all {budget.trials} trials were started" if len(results) >= budget.trials else None


def _time(budget: Budget, elapsed_s: float) -> str | None:
    if budget.time_s is None or elapsed_s < budget.time_s:
        return None
    return f"the time of {budget.time_s:g} s is over"


def _gpu_hours(budget: Budget, results: Sequence[TrialResult], gpus_per_trial: float) -> str | None:
    used = sum(result.elapsed_s for result in results) * gpus_per_trial / _S_PER_H
    if budget.gpu_hours is None or used < budget.gpu_hours:
        return None
    return f"{used:.2f} of {budget.gpu_hours:g} GPU hours are used"


def _target(budget: Budget, objective: Objective, results: Sequence[TrialResult]) -> str | None:
    if budget.target is None:
        return None
    for result in results:
        value = result.values.get(objective.metric)
        if value is not None and math.isfinite(value) and not objective.direction.is_better(budget.target, value):
            return f"{objective.metric} reached {value:.4g}, the target is {budget.target:g}"
    return None


def _patience(budget: Budget, objective: Objective, results: Sequence[TrialResult]) -> str | None:
    if budget.patience_trials is None:
        return None
    sign = 1.0 if objective.direction is Direction.MAXIMIZE else -1.0
    best, waited = -math.inf, 0
    for result in (r for r in results if r.state.is_final):
        value = sign * result.values[objective.metric] if _has_value(result, objective) else -math.inf
        best, waited = (value, 0) if value > best else (best, waited + 1)
    if waited < budget.patience_trials or best == -math.inf:
        return None
    return f"no improvement in the last {waited} trials"


def _has_value(result: TrialResult, objective: Objective) -> bool:
    return result.state.has_value and objective.metric in result.values
