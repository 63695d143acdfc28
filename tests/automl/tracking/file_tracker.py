"""Writes the event log of a study from plain calls, and gives each entry to trackers."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.recording import started_event
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state
from automl.study.events import (
    Measured,
    StudyEnded,
    StudySuspended,
    TrialEnded,
    TrialProposed,
    TrialStarted,
)
from automl.tracking.base import TrackerGroup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.study.events import Event
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult
    from automl.tracking.base import Tracker

logger = logging.getLogger(__name__)

_LONGEST_REASON = 2000


class FileTracker:
    """Turns calls into events.

    Args:
        directory: The study directory; made if it is not there.
        trackers: Get every entry.
    """

    def __init__(self, directory: StudyPaths, trackers: Sequence[Tracker] = ()) -> None:
        self._paths = directory
        directory.root.mkdir(parents=True, exist_ok=True)
        self._file = directory.events_file
        self._log = EventLog(self._file)
        self._trackers = TrackerGroup(trackers)
        self._proposed = len(read_state(directory).trials)

    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Append ``study_started``."""
        self._trackers.open(StudyPaths(directory))
        self.append(replace(started_event(plan, StudyPaths(directory)), log_version=2))  # an end is the last event

    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Append ``trial_started``, and the proposal where it is the first attempt."""
        while self._proposed <= proposal.number:
            is_this = self._proposed == proposal.number
            self.append(
                TrialProposed(
                    trial=self._proposed,
                    assignment=dict(proposal.assignment) if is_this else {},
                    origin=proposal.origin,
                    replicate_of=proposal.replicate_of if is_this else None,
                    seed=proposal.seed if is_this else None,
                )
            )
            self._proposed += 1
        self.append(
            TrialStarted(
                trial=proposal.number,
                attempt=attempt,
                origin=str(proposal.origin),
                assignment=dict(proposal.assignment),
                directory=self._paths.relative(directory),
            )
        )

    def measured(self, number: int, measurement: Measurement) -> None:
        """Append ``measured``."""
        self.append(
            Measured(
                trial=number,
                epoch=measurement.epoch,
                step=measurement.step,
                max_epochs=measurement.max_epochs,
                values=dict(measurement.values),
                nonfinite=dict(measurement.nonfinite),
                unix_time_s=measurement.unix_time_s,
            )
        )

    def trial_ended(self, result: TrialResult) -> None:
        """Append ``trial_ended``."""
        self.append(TrialEnded(result))

    def study_ended(self, result: StudyResult) -> None:
        """Append ``study_ended``."""
        best = result.best
        self.append(
            StudyEnded(
                trials=len(result.trials),
                best_trial=best.number if best else None,
                best_value=best.values[result.objective.metric] if best else None,
                reason=result.end_reason[:_LONGEST_REASON],
                is_failure=result.failure is not None,
                may_go_on=result.may_go_on,
            )
        )

    def study_suspended(self, reason: str) -> None:
        """Append ``study_suspended``."""
        self.append(StudySuspended(reason=reason[:_LONGEST_REASON]))

    def append(self, event: Event) -> None:
        """Append an event and give its entry to the trackers; a disk that cannot be written costs a warning."""
        try:
            entry = self._log.append(event)
        except OSError as error:
            logger.warning("event %s could not be written to %s: %s", event.kind, self._file, error)
            return
        self._trackers.record(entry)

    def close(self) -> None:
        """Close the log."""
        self._log.close()
