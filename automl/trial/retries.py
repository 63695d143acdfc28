"""What follows an attempt that failed: nothing, or another attempt, by the cause. Pure.

| cause | then |
|---|---|
| infrastructure (node lost, port taken, disk gone) | another attempt that goes on where it was, at most 3 in all |
| out of memory | one more attempt: half the batch and twice the accumulation where the skill allows, else alone |
| a continued attempt failed before it measured anything | one more, from the start: its checkpoint may be the reason |
| the trainer's own error, its data, its spec | none: it would fail again |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.study.trial import FailureKind, TrialState
from automl.trial.attempts import CONTINUE, Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.values import Scalar
    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult
    from automl.trial.attempts import Start

MAX_ATTEMPTS = 3
"""Attempts of one trial that the infrastructure may cost."""


def change_after(result: TrialResult, start: Start, losses: int, plan: StudyPlan) -> Change | None:
    """Return what the next attempt does otherwise, or None when there is none.

    Args:
        result: How the attempt ended.
        start: How it had started.
        losses: Attempts that the infrastructure has cost before.
        plan: The study.
    """
    if result.state is not TrialState.FAILED:
        return None
    if result.failure is FailureKind.INFRASTRUCTURE:
        return CONTINUE if losses + 1 < MAX_ATTEMPTS else None
    if result.failure is FailureKind.OUT_OF_MEMORY:
        return _with_more_memory(start, plan, result.assignment)
    if result.failure is FailureKind.TIMEOUT or start.checkpoint is None or not start.earlier:
        return None
    has_progressed = any(epoch >= start.first_epoch for epoch, _ in result.curve)
    return None if has_progressed else Change(is_afresh=True)


def _with_more_memory(start: Start, plan: StudyPlan, assignment: Mapping[str, Scalar]) -> Change | None:
    if start.changes or start.is_alone:
        return None
    keys = plan.skill.architecture.keys
    batch_key, accumulate_key = plan.spec.first_of(keys.batch_size), plan.spec.first_of(keys.accumulate)
    if batch_key is not None and accumulate_key is not None:
        spec = plan.spec.with_values(dict(assignment), origin="trial")
        batch, accumulate = spec.get(batch_key), spec.get(accumulate_key)
        if isinstance(batch, int) and isinstance(accumulate, int) and batch > 1 and batch % 2 == 0:
            return Change(
                changes={batch_key: batch // 2, accumulate_key: 2 * accumulate},
                remark=f"memory ran out: batches of {batch // 2} instead of {batch}, {2 * accumulate} to a step",
            )
    return Change(is_alone=True, is_afresh=True, remark="memory ran out: tried again with no other trial beside it")
