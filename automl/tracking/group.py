"""Everybody who is told what happens in a study; one who fails misses the event, and the study goes on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from automl.errors import AutomlError
from automl.tracking.base import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult

logger = logging.getLogger(__name__)


class TrackerGroup(Tracker):
    """Hands every event on to several trackers.

    Args:
        trackers: Told in this order.
    """

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)

    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Hand it on."""
        self._tell(lambda tracker: tracker.study_started(plan, directory))

    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Hand it on."""
        self._tell(lambda tracker: tracker.trial_started(proposal, directory, attempt))

    def measured(self, number: int, measurement: Measurement) -> None:
        """Hand it on."""
        self._tell(lambda tracker: tracker.measured(number, measurement))

    def trial_ended(self, result: TrialResult) -> None:
        """Hand it on."""
        self._tell(lambda tracker: tracker.trial_ended(result))

    def study_ended(self, result: StudyResult) -> None:
        """Hand it on."""
        self._tell(lambda tracker: tracker.study_ended(result))

    def study_suspended(self, reason: str) -> None:
        """Hand it on."""
        self._tell(lambda tracker: tracker.study_suspended(reason))

    def _tell(self, call: Callable[[Tracker], None]) -> None:
        for tracker in self._trackers:
            try:
                call(tracker)
            except (AutomlError, OSError, ValueError, TypeError, KeyError, RuntimeError):
                logger.exception("%s lost an event; the study goes on", type(tracker).__name__)
