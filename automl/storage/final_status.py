"""What became of a study, and why: as its last run said it, and as the kernel knows whether a process runs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError
from automl.shown_command import shown_command
from automl.storage.own_documents import read_own
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_state, study_of_plan
from automl.study.events import StudyEnded, StudySuspended
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from automl.storage.plan_document import StoredPlan
    from automl.study.earlier import Agreement
    from automl.study.result import StudyResult
    from automl.study.state import StudyState

_KILLED = "its process was killed"
_LEFT = "its process ended before everything was handed over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a study does, or what became of it.

    Attributes:
        state: ``running``, ``interrupted`` (a resume goes on), ``completed`` or ``failed`` (no usable value, or
            ended by errors).
        reason: Why it is so; empty while it runs.
        end: How its last run ended; None before, or if it was killed.
        notices: What was refused or left out of what trainers wrote, what ranges have grown to, what has changed, and a
            `best.json` that cannot be read.
        agreement: How alike earlier studies and this one are so far; None where none is used, or before a trial ended.
        started_at: When its last run started; None before.
    """

    state: str
    reason: str = ""
    end: StudyEnded | StudySuspended | None = None
    notices: tuple[str, ...] = ()
    agreement: Mapping[str, Agreement] | None = None
    started_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}" if self.reason else self.state


def read_settled(root: Path) -> tuple[StoredPlan, StudyResult, Outcome]:
    """Read a study as it stands: no trial runs where no process runs the study, whatever its files say.

    Raises:
        ConfigurationError: the folder is no study directory, or a result cannot be read.
        OSError: its log cannot be opened.
    """
    paths = StudyPaths(root)
    plan = read_plan(paths)
    # Asked before and after: what begins or ends meanwhile is not taken for a study that was killed.
    was_running = running_process(paths) is not None
    state = read_state(paths, with_starts=False)
    result = replace(study_of_plan(plan), trials=state.results)
    agreement = None if state.agreement is None else state.agreement.studies
    notices = (*state.notices, *_damage(paths))
    seen: dict[str, Any] = {"notices": notices, "agreement": agreement, "started_at": state.started_at}
    if was_running or running_process(paths) is not None:
        return plan, result, Outcome(state="running", end=state.last, **seen)
    outcome = outcome_of(paths, state, has_best=result.best is not None)
    trials = [
        replace(trial, state=TrialState.INTERRUPTED, reason=outcome.reason)
        if trial.state is TrialState.RUNNING
        else trial
        for trial in result.trials
    ]
    return plan, replace(result, trials=tuple(trials)), replace(outcome, **seen)


def _damage(paths: StudyPaths) -> Iterator[str]:
    """Yield what has become of the provenance of the best trial, where that cannot be read."""
    try:
        read_own(paths, paths.best_file, dict[str, Any])
    except FileNotFoundError:
        return
    except ConfigurationError as error:
        reason = "; ".join(problem.found for problem in error.problems)
        again = shown_command("resume", paths.root)
        yield f"{paths.best_file} cannot be used: {reason}; move it away, then {again} makes it again"


def outcome_of(paths: StudyPaths, state: StudyState, *, has_best: bool) -> Outcome:
    """Return what became of a study that no process runs.

    Args:
        paths: Of the study.
        state: Where its events have brought it.
        has_best: Whether a trial has a usable value.
    """
    match state.last:
        case StudyEnded() as end if not state.is_handed_over:
            return Outcome(state="interrupted", reason=f"{end.reason}; {_LEFT}".removeprefix("; "), end=end)
        case StudyEnded() as end:
            is_completed = has_best and not end.is_failure
            return Outcome(state="completed" if is_completed else "failed", reason=end.reason, end=end)
        case StudySuspended() as end:
            return Outcome(state="interrupted", reason=end.reason, end=end)
        case None:
            has_begun = paths.events_file.is_file()
            return Outcome(state="interrupted", reason=_KILLED if has_begun else "it ended before its first trial")
