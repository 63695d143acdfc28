"""The tracker's contract: what happens in a study, told as it happens.

Trackers never raise for what is outside (a server that is down) and never make a trial wait: they queue and re-send.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult


class Tracker(ABC):
    """Records a study."""

    @abstractmethod
    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Learn what will run and where; again after a resume."""

    @abstractmethod
    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Learn that an attempt of a trial starts."""

    @abstractmethod
    def measured(self, number: int, measurement: Measurement) -> None:
        """Learn one measurement of a trial."""

    @abstractmethod
    def trial_ended(self, result: TrialResult) -> None:
        """Learn how a trial ended."""

    @abstractmethod
    def study_ended(self, result: StudyResult) -> None:
        """Learn that the study is over."""

    def study_suspended(self, reason: str) -> None:
        """Learn that the study was cut off and why; a resume goes on with it."""

    def close(self) -> None:
        """Send what is queued, as far as possible, and release threads."""
