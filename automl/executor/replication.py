"""Which replicates a study still has to run, once its search is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.study.replicates import replicate_seeds
from automl.study.result import StudyResult

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult


def missing_replicates(
    plan: StudyPlan, finished: Sequence[TrialResult], known: Collection[tuple[int | None, int | None]]
) -> tuple[tuple[int, int], ...]:
    """Return (trial, seed) of the replicates to run, the best trial first, every trial with the first seed first.

    Args:
        plan: Says how many trials are replicated, and how often.
        finished: All trials that have ended.
        known: (trial, seed) of replicates that run or wait, (None, None) for trials of the search.
    """
    if not plan.replicates:
        return ()
    ended = {(r.replicate_of, r.seed) for r in finished if r.replicate_of is not None}
    result = StudyResult(objective=plan.objective, trials=tuple(finished), constraints=plan.constraints)
    top = [trial.number for trial in result.ranked()[: plan.replicates]]
    wanted = [(number, seed) for seed in replicate_seeds(plan) for number in top]
    return tuple(pair for pair in wanted if pair not in ended and pair not in known)
