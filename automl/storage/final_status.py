"""What became of a study, and why: as the last line of its events says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.storage.event_log import last_entry
from automl.storage.owner import running_process
from automl.study.events import StudyEnded, StudySuspended
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from automl.storage.paths import StudyPaths
    from automl.study.result import StudyResult

_KILLED = "its process was killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the last run of a study ended, in its own words.

    Attributes:
        is_over: It came to its end; otherwise it was cut off.
        reason: Why; empty in studies of earlier versions.
        is_failure: Errors ended it.
        may_go_on: A resume goes on with it although it is over: the user stopped it, or errors did.
    """

    is_over: bool
    reason: str = ""
    is_failure: bool = False
    may_go_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a study does, or what became of it.

    Attributes:
        state: ``running``, ``interrupted`` (a resume goes on), ``completed`` or ``failed`` (no usable value, or
            ended by errors).
        reason: Why it is so; empty while it runs.
    """

    state: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}" if self.reason else self.state


def read_end(directory: StudyPaths) -> End | None:
    """Return how the last run of a study ended; None if it runs, or was killed before it could say so."""
    last = last_entry(directory.events_file)
    match None if last is None else last.event:
        case StudyEnded() as event:
            return End(is_over=True, reason=event.reason, is_failure=event.is_failure, may_go_on=event.may_go_on)
        case StudySuspended() as event:
            return End(is_over=False, reason=event.reason)
        case _:
            return None


def read_outcome(directory: StudyPaths, *, has_best: bool) -> Outcome:
    """Return what became of a study.

    Args:
        directory: Its directory.
        has_best: Whether a trial has a usable value.
    """
    if running_process(directory) is not None:
        return Outcome(state="running")
    end = read_end(directory)
    if end is None:
        has_begun = directory.events_file.is_file()
        return Outcome(state="interrupted", reason=_KILLED if has_begun else "it ended before its first trial")
    if not end.is_over:
        return Outcome(state="interrupted", reason=end.reason)
    return Outcome(state="completed" if has_best and not end.is_failure else "failed", reason=end.reason)


def settled(result: StudyResult, outcome: Outcome) -> StudyResult:
    """Return a study's trials as they stand: none runs where no process runs the study, whatever its files say."""
    if outcome.state == "running":
        return result
    trials = [
        replace(trial, state=TrialState.INTERRUPTED, reason=outcome.reason)
        if trial.state is TrialState.RUNNING
        else trial
        for trial in result.trials
    ]
    return replace(result, trials=tuple(trials))
