"""When a study ends: pure functions of what has happened so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.study.ends import EndKind, EndReason
from automl.study.objectives import unmet
from automl.study.state import ESTIMATES
from automl.study.trial import FailureKind, TrialState
from automl.trial.failures import signature

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from automl.study.model import Budget, StudyPlan
    from automl.study.objectives import Objective
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


def spent_end(budget: Budget, *, elapsed_s: float, gpu_s: float) -> EndReason | None:
    """Return why time or GPUs are used up, or None while they are not.

    ``elapsed_s`` includes earlier runs of a resumed study, ``gpu_s`` is the sum over all trials of seconds times GPUs.
    """
    if budget.time_s is not None and elapsed_s >= budget.time_s:
        return EndReason(kind=EndKind.TIME, amount=budget.time_s)
    if budget.gpu_hours is not None and gpu_s >= budget.gpu_hours * _SECONDS_PER_HOUR:
        return EndReason(kind=EndKind.GPU_HOURS, amount=budget.gpu_hours)
    return None


def target_end(budget: Budget, objective: Objective, value: float | None) -> EndReason | None:
    """Return why the search can end with this value, or None."""
    if value is None or budget.target is None or objective.direction.is_better(budget.target, value):
        return None
    return EndReason(kind=EndKind.TARGET, amount=budget.target, metric=objective.metric)


def competing_value(plan: StudyPlan, result: TrialResult) -> float | None:
    """Return the primary objective of a trial that has ended; None where it has none or misses a constraint."""
    competes = result.state.has_value and not unmet(plan.constraints, result.values)
    return result.values.get(plan.objective.metric) if competes else None


@dataclass(slots=True)
class Patience:
    """How long a study has waited for something better, from the ends of its trials in their order.

    A trial that misses a constraint is no improvement.
    """

    plan: StudyPlan
    _best: float | None = None
    _without: int = 0

    def end_after(self, result: TrialResult) -> EndReason | None:
        """Take the end of a trial over; return why waiting longer is pointless, or None."""
        objective, patience = self.plan.objective, self.plan.budget.patience_trials
        value = competing_value(self.plan, result)
        if value is not None and (self._best is None or objective.direction.is_better(value, self._best)):
            self._best, self._without = value, 0
        else:
            self._without += 1
        if patience is None or self._without < patience:
            return None
        return EndReason(kind=EndKind.PATIENCE, amount=self._without, metric=objective.metric)


def improvement_end(plan: StudyPlan, estimates: Collection[float | None]) -> EndReason | None:
    """Return why hardly anything is left to gain, or None.

    ``estimates`` are what the best further trial was expected to gain, after each of the last ends.
    """
    worth = plan.budget.min_improvement
    known = [estimate for estimate in estimates if estimate is not None]
    if worth is None or len(known) < ESTIMATES or max(known) >= worth:
        return None
    return EndReason(kind=EndKind.IMPROVEMENT, amount=max(known), bound=worth, metric=plan.objective.metric)


def error_end(finished: Sequence[TrialResult]) -> EndReason | None:
    """Return the root cause if the last trials all failed for the same one, or None."""
    last = finished[-IDENTICAL_ERRORS:]
    causes = {(result.failure, signature(result.reason)) for result in last}
    is_same = len(last) == IDENTICAL_ERRORS and len(causes) == 1
    if not is_same or last[0].state is not TrialState.FAILED or last[0].failure not in _CAUSED_BY_STUDY:
        return None
    return EndReason(kind=EndKind.IDENTICAL_ERRORS, amount=IDENTICAL_ERRORS, detail=last[0].reason)
