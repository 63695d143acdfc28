"""Where a running study stands, followed as its log grows, and when it may be over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.duration import format_duration
from automl.storage.event_log import named_damage, read_log
from automl.storage.legacy import is_legacy
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_state, study_of_plan
from automl.study.state import Phase, StudyState, apply

if TYPE_CHECKING:
    from datetime import datetime

    from automl.storage.paths import StudyPaths
    from automl.study.result import StudyResult


class LiveStatus:
    """A study directory, read again and again.

    Args:
        paths: Of the study.

    Raises:
        ConfigurationError: the folder is no study directory, or its log is damaged.
    """

    def __init__(self, paths: StudyPaths) -> None:
        self._paths = paths
        self._position = 0
        self.plan = read_plan(paths)
        self.state = StudyState()
        if is_legacy(paths):  # it has ended, and grows no more in this form
            self.state, self._position = read_state(paths), paths.events_file.stat().st_size
        self.refresh()

    def refresh(self) -> None:
        """Fold what is new.

        Raises:
            ConfigurationError: the log is damaged.
        """
        file = self._paths.events_file
        with named_damage(file):
            for entry in read_log(file, self._position, is_strict=True):
                apply(self.state, entry.event, entry.time)
                self._position = entry.end

    @property
    def result(self) -> StudyResult:
        """The trials so far."""
        return replace(study_of_plan(self.plan), trials=self.state.results)


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a study may be over.

    Attributes:
        seconds: From now; None where nothing is known yet.
        basis: What it rests on, as a sentence.
    """

    seconds: float | None
    basis: str


def estimate(state: StudyState, planned: int, time_s: float | None, now: datetime) -> Estimate:
    """Estimate when a study is over.

    Args:
        state: Where it stands.
        planned: Trials of the whole study.
        time_s: The study's time limit.
        now: The time, with its zone.
    """
    left_s = None if time_s is None or state.started_at is None else time_s - (now - state.started_at).total_seconds()
    by_limit = Estimate(max(0.0, left_s), f"time limit {format_duration(time_s)}") if left_s and time_s else None
    known = [found for found in (by_limit, _by_trials(state, planned, now)) if found is not None]
    if not known:
        return Estimate(None, "no trial has ended yet")
    return min(known, key=lambda found: found.seconds or 0.0)


def _by_trials(state: StudyState, planned: int, now: datetime) -> Estimate | None:
    ended = state.finished
    if not ended or state.started is None:
        return None
    left, jobs = planned - len(ended), state.started.jobs
    mean_s = sum(trial.elapsed_s for trial in ended) / len(ended)
    since = [trial.since for trial in state.in_phase(Phase.RUNNING) if trial.since is not None]
    done_s = sum(min(mean_s, (now - start).total_seconds()) for start in since)
    slots = f"{jobs} slots" if jobs > 1 else "1 slot"
    basis = f"{left} to go, {format_duration(mean_s)} each so far, {slots}"
    return Estimate(max(0.0, left * mean_s - done_s) / jobs, basis)
