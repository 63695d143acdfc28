"""When a study ends: pure functions of what has happened so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import counted
from automl.study.goals import unmet
from automl.study.model import Direction
from automl.study.trial import FailureKind, TrialState
from automl.trial.failures import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.study.goals import Constraint
    from automl.study.model import Budget, Objective, StudyPlan
    from automl.study.trial import TrialResult

IDENTICAL_ERRORS = 3
"""So many trials in a row that fail for the same reason end the study: the next one would fail for it too."""

_CAUSED_BY_STUDY = (
    FailureKind.DATA,
    FailureKind.SPEC,
    FailureKind.IMAGE,
    FailureKind.CREDENTIAL,
    FailureKind.TRAINER,
    FailureKind.METRIC_MISSING,
)
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a study has used.

    Attributes:
        elapsed_s: Since the study started, earlier runs of a resumed one included.
        gpu_s: Sum over trials of seconds times GPUs, running ones included.
    """

    elapsed_s: float
    gpu_s: float


def budget_end(budget: Budget, spent: Spent) -> str | None:
    """Return why time or GPUs are used up, or None while they are not."""
    if budget.time_s is not None and spent.elapsed_s >= budget.time_s:
        return f"the time budget of {budget.time_s:g} s is used up"
    if budget.gpu_hours is not None and spent.gpu_s >= budget.gpu_hours * _SECONDS_PER_HOUR:
        return f"the budget of {budget.gpu_hours:g} GPU hours is used up"
    return None


def target_end(budget: Budget, objective: Objective, value: float) -> str | None:
    """Return why the study can end with this value, or None."""
    if budget.target is None or objective.direction.is_better(budget.target, value):
        return None
    return f"the target {budget.target:g} of {objective.metric} is reached"


def goal_end(plan: StudyPlan, finished: Sequence[TrialResult]) -> str | None:
    """Return why the last trial to end ends the study, or None: the target is reached, or patience is at its end.

    Args:
        plan: The study.
        finished: Final results in the order in which they ended, at least one.
    """
    last, reached = finished[-1], None
    value = last.values.get(plan.objective.metric) if last.state.has_value else None
    if value is not None and not unmet(plan.constraints, last.values):
        reached = target_end(plan.budget, plan.objective, value)
    return reached or patience_end(plan.budget, plan.objective, finished, plan.constraints)


def end_so_far(plan: StudyPlan, finished: Sequence[TrialResult], best: float | None) -> str | None:
    """Return why the search is over by what an earlier run has measured, or None.

    Args:
        plan: The study.
        finished: Final results in the order in which they ended.
        best: The best value of the leading objective that any trial of the search has reported; None without one.
    """
    if best is not None and not plan.constraints and (reached := target_end(plan.budget, plan.objective, best)):
        return reached
    searched = [result for result in finished if result.replicate_of is None]
    ends = (goal_end(plan, searched[: count + 1]) for count in range(len(searched)))
    return next((end for end in ends if end is not None), None)


def patience_end(
    budget: Budget, objective: Objective, finished: Sequence[TrialResult], constraints: Sequence[Constraint] = ()
) -> str | None:
    """Return why waiting longer is pointless, or None.

    Args:
        budget: Names the patience.
        objective: The leading objective.
        finished: Final results in the order in which they ended.
        constraints: A trial that does not keep them is no improvement.
    """
    if budget.patience_trials is None:
        return None
    best = float("-inf") if objective.direction is Direction.MAXIMIZE else float("inf")
    without = 0
    for result in finished:
        competes = result.state.has_value and not unmet(constraints, result.values)
        value = result.values.get(objective.metric) if competes else None
        if value is not None and objective.direction.is_better(value, best):
            best, without = value, 0
        else:
            without += 1
    if without < budget.patience_trials:
        return None
    return f"{counted(without, 'finished trial')} brought no improvement of {objective.metric}"


def error_end(finished: Sequence[TrialResult]) -> str | None:
    """Return the root cause if the last trials all failed for the same one, or None."""
    last = finished[-IDENTICAL_ERRORS:]
    causes = {(result.failure, signature(result.reason)) for result in last}
    is_same = len(last) == IDENTICAL_ERRORS and len(causes) == 1
    if not is_same or last[0].state is not TrialState.FAILED or last[0].failure not in _CAUSED_BY_STUDY:
        return None
    return f"{IDENTICAL_ERRORS} trials in a row failed for the same reason: {last[0].reason}"
