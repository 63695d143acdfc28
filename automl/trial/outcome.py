"""Judge how a trial ended. Pure rules over what was measured; the exit status alone proves nothing.

| ended by | measured | verdict |
|---|---|---|
| us, a stop request | anything finite | STOPPED, or INTERRUPTED when it may go on later |
| us, a divergence | - | DIVERGED |
| us, a time or silence limit | - | FAILED (timeout) |
| itself, status 0 | a finite objective | COMPLETED |
| itself, status 0 | a finite objective, last line a failure before the last epoch | FAILED |
| itself, status 0 | no objective | FAILED (metric_missing) |
| itself, other status | its own words say the loss was not finite | DIVERGED |
| itself, other status | anything else | FAILED, with a kind |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.readers.names import suggest
from automl.study.trial import FailureKind, TrialState
from automl.trial.failures import Failure, classify, divergence_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.trial.history import TrialHistory

INTERRUPTED = "interrupted"
"""A stop reason that begins with this word makes the trial INTERRUPTED (a resume continues it) instead of STOPPED."""
PAUSED = "paused"
"""A stop reason that begins with this word makes it INTERRUPTED too: the study itself may continue it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a trial ended.

    Attributes:
        state: Never PENDING or RUNNING.
        reason: In words.
        failure: For FAILED only.
    """

    state: TrialState
    reason: str = ""
    failure: FailureKind | None = None


def failed(failure: Failure) -> Verdict:
    """Return the verdict on a failure."""
    return Verdict(state=TrialState.FAILED, reason=failure.cause, failure=failure.kind)


def stopped(reason: str) -> Verdict:
    """Return the verdict on a trial that was asked to stop."""
    state = TrialState.INTERRUPTED if reason.startswith((INTERRUPTED, PAUSED)) else TrialState.STOPPED
    return Verdict(state=state, reason=reason)


def judge(course: TrialHistory, exit_status: int, log_tail: Sequence[str], *, was_lost: bool = False) -> Verdict:
    """Judge a trial that ended by itself and was healthy as far as it was measured.

    Args:
        course: Everything it measured.
        exit_status: Of the trainer.
        log_tail: The last lines of its log.
        was_lost: Its guard or its node died.
    """
    has_complained = bool(course.failure_message) and not course.has_all_epochs
    if exit_status != 0 or has_complained:
        words = divergence_message(course.failure_message, log_tail)
        if words is not None and not was_lost:
            return Verdict(state=TrialState.DIVERGED, reason=words)
        return failed(classify(exit_status, log_tail, course.failure_message, was_lost=was_lost))
    if not course.curve:
        return Verdict(state=TrialState.FAILED, reason=_missing(course), failure=FailureKind.METRIC_MISSING)
    done, planned = course.curve[-1][0] + 1, course.max_epochs
    is_short = planned is not None and done < planned
    return Verdict(
        state=TrialState.COMPLETED,
        reason=f"the trainer ended by itself after epoch {done} of {planned}" if is_short else "",
    )


def _missing(course: TrialHistory) -> str:
    if not course.names:
        return f"the trainer ended without reporting {course.objective} or any other metric"
    near = suggest(course.objective, course.names)
    hint = f"; did you mean {near}?" if near is not None else ""
    return f"the trainer never reported {course.objective}; it reported {', '.join(sorted(course.names))}{hint}"
