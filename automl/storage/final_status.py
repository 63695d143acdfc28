"""What became of a study, and why: as the last line of its events says it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from automl.storage.owner import running_process
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.paths import StudyPaths
    from automl.study.result import StudyResult

ENDED, SUSPENDED = "study_ended", "study_suspended"
"""Events: a study came to its end; it was cut off, and a resume goes on with it."""

_TAIL_BYTES = 1 << 20
_AFTER_THE_END = frozenset({"action_ended", "evaluated", "model_registered", "file_attached"})
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
    document = _last_event(directory.events_file)
    if document is None or document["event"] not in {ENDED, SUSPENDED}:
        return None
    return End(
        is_over=document["event"] == ENDED,
        reason=document.get("reason", ""),
        is_failure=document.get("is_failure", False),
        may_go_on=document.get("may_go_on", False),
    )


def read_outcome(directory: StudyPaths, *, has_best: bool) -> Outcome:
    """Return what became of a study. Not to be asked by the process that runs it (see `running_process`).

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


def _last_event(file: Path) -> dict[str, Any] | None:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = stream.read().splitlines()
        documents = (json.loads(line) for line in reversed(lines) if line)
        document: object = next((found for found in documents if found.get("event") not in _AFTER_THE_END), None)
    except (OSError, ValueError, AttributeError):
        return None
    return document if isinstance(document, dict) and "event" in document else None
