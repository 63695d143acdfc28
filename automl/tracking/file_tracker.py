"""Appends what the loop reports to the event log and gives each entry to the trackers; goes when the loop does so."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from automl.storage.event_log import EventLog
from automl.study.events import Measured, StudyEnded, StudyStarted, StudySuspended, TrialEnded, TrialStarted
from automl.tracking.base import TrackerGroup
from automl.tracking.versions import collect_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from automl.storage.paths import StudyPaths
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
        directory: The study directory; made when the first event is written.
        trackers: Get every entry.
    """

    def __init__(self, directory: StudyPaths, trackers: Sequence[Tracker] = ()) -> None:
        self._file = directory.events_file
        self._log = EventLog(self._file)
        self._trackers = TrackerGroup(trackers)

    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Append ``study_started``."""
        self.append(
            StudyStarted(
                study=plan.name,
                directory=str(directory),
                route=plan.route,
                fingerprint=plan.fingerprint,
                metric=plan.objective.metric,
                direction=plan.objective.direction,
                trials=plan.budget.trials,
                jobs=plan.resources.jobs,
                max_epochs=plan.max_epochs,
                process=os.getpid(),
                environment=collect_environment(plan),
            )
        )

    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Append ``trial_started``."""
        self.append(
            TrialStarted(
                trial=proposal.number,
                attempt=attempt,
                origin=str(proposal.origin),
                assignment=dict(proposal.assignment),
                directory=str(directory),
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


def read_events(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of an `events.jsonl`, oldest first; none if it does not exist.

    A last line that is still being written, and lines torn by a power failure, are passed over.
    """
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                document = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(document, dict) and "event" in document:
                yield document
