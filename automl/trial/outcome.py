"""How a trial ended: pure rules over what was measured; the exit status alone proves nothing.

| ended by | measured | outcome |
|---|---|---|
| us, a stop request | anything finite | STOPPED, or INTERRUPTED when it may continue later |
| us, a divergence | - | DIVERGED |
| us, a time limit or stall timeout | - | FAILED (timeout) |
| itself, status 0 | a finite objective | COMPLETED |
| itself, status 0 | a finite objective, last line a failure before the last epoch | FAILED |
| itself, status 0 | no objective | FAILED (metric_missing); COMPLETED where the last epoch counts |
| itself, other status | its message or log says the loss was not finite | DIVERGED |
| itself, other status | anything else | FAILED, with a kind |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.readers.names import suggest
from automl.study.trial import FailureKind, TrialState
from automl.trial.failures import Failure, classify, divergence_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.launch.base import ExternalEnd
    from automl.study.ends import StopCause
    from automl.trial.history import TrialHistory

_NAMED_NUMBER = re.compile(r"(?<![\w/.-])([A-Za-z][\w/.-]{0,60})\s?[:=]\s?[-+]?(?:\d|\.\d|nan\b|inf\b)")
_SHOWN_NAMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """How a trial ended: never PENDING or RUNNING; ``failure`` is for FAILED only, ``cause`` for what was stopped."""

    state: TrialState
    reason: str = ""
    failure: FailureKind | None = None
    cause: StopCause | None = None


def failed(failure: Failure) -> TrialOutcome:
    """Return the outcome of a trial that failed."""
    return TrialOutcome(state=TrialState.FAILED, reason=failure.cause, failure=failure.kind)


def stopped(cause: StopCause) -> TrialOutcome:
    """Return the outcome of a trial that was asked to stop."""
    state = TrialState.INTERRUPTED if cause.may_continue else TrialState.STOPPED
    return TrialOutcome(state=state, reason=str(cause), cause=cause)


def outcome_of(
    history: TrialHistory, exit_status: int, log_tail: Sequence[str], *, external_end: ExternalEnd | None = None
) -> TrialOutcome:
    """Return the outcome of a trial that ended by itself and was healthy as far as it was measured.

    ``external_end`` is what else has ended it (see `automl.launch.base.Job`).
    """
    has_complained = history.failure_line is not None and not history.has_all_epochs
    if exit_status != 0 or has_complained:
        divergence = divergence_message(history.failure_line, log_tail)
        if divergence is not None and external_end is None:
            return TrialOutcome(state=TrialState.DIVERGED, reason=divergence)
        return failed(classify(exit_status, log_tail, history.failure_line, external_end=external_end))
    if not history.curve and not history.needs_metric:
        return TrialOutcome(state=TrialState.COMPLETED)
    if not history.curve:
        return TrialOutcome(
            state=TrialState.FAILED, reason=_missing(history, log_tail), failure=FailureKind.METRIC_MISSING
        )
    done, planned = history.curve[-1][0] + 1, history.max_epochs
    is_short = planned is not None and done < planned
    return TrialOutcome(
        state=TrialState.COMPLETED,
        reason=f"the trainer ended by itself after epoch {done} of {planned}" if is_short else "",
    )


def _missing(history: TrialHistory, log_tail: Sequence[str]) -> str:
    if history.watch.is_function and not history.names:
        return (
            f"the function has neither returned a number nor reported {history.objective} with automl.report; what it "
            "prints, and what its libraries write, is not read"
        )
    if (unsigned := _without_sign(history.objective, log_tail)) is not None:
        shown, number = unsigned
        return (
            f"the trainer never reported {history.objective}: its log has {shown!r}, without a sign between name and"
            f" number; let it print '{history.objective}: {number}' or '{history.objective}={number}'"
        )
    # Of a log the objective alone is read.
    names = history.names or dict.fromkeys(name for line in log_tail for name in _NAMED_NUMBER.findall(line))
    if not names:
        return f"the trainer ended without reporting {history.objective} or any other metric"
    near = suggest(history.objective, names)
    hint = f"; did you mean {near}?" if near is not None else ""
    said = "it reported" if history.names else "the end of its log has"
    return f"the trainer never reported {history.objective}; {said} {', '.join(sorted(names)[:_SHOWN_NAMES])}{hint}"


def _without_sign(objective: str, log_tail: Sequence[str]) -> tuple[str, str] | None:
    """Return the last mention of the objective with a number behind blanks alone, and the number; None without one."""
    name = r"[\s_/-]".join(map(re.escape, re.split(r"[_/]", objective)))
    number = r"[-+]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:e[-+]?\d++)?+%?+"
    pattern = re.compile(rf"(?<![\w/.-]){name}\s+({number})(?![\w/])", re.IGNORECASE)
    found = [match for line in log_tail for match in pattern.finditer(line)]
    return (found[-1][0], found[-1][1]) if found else None
