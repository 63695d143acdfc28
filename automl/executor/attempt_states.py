"""Where an attempt of a trial is in the study's loop: it waits, it runs, or its trial is paused."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.study.trial import TrialResult, TrialState
from automl.trial.attempts import CONTINUE
from automl.trial.outcome import INTERRUPTED
from automl.trial.stop_request import request_stop

if TYPE_CHECKING:
    from automl.executor.reports import StopDecision
    from automl.study.trial import Proposal
    from automl.trial.attempts import Change, Start
    from automl.trial.task import TrialTask

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """An attempt that is to be started."""

    proposal: Proposal
    losses: int = 0
    change: Change = CONTINUE


@dataclass(slots=True)
class Running:
    """An attempt that runs."""

    proposal: Proposal
    task: TrialTask
    start: Start
    since_s: float
    losses: int
    stop_reason: str = ""
    ending: StopDecision | None = None

    def stop(self, reason: str, *, last_epoch: int | None = None) -> None:
        """Ask its runner for its end, unless it is being ended already; where that cannot be written, say so.

        Args:
            reason: For its result.
            last_epoch: See `request_stop`; given for what the stopping rule has decided.
        """
        if self.stop_reason.startswith(INTERRUPTED) or (self.ending is not None and last_epoch is None):
            return
        self.stop_reason = reason
        try:
            request_stop(self.task.directory, reason, last_epoch=last_epoch)
        except OSError as error:
            logger.warning("trial %d could not be asked to stop: %s", self.task.number, error)


@dataclass(slots=True)
class Paused:
    """A trial that the rule may promote."""

    proposal: Proposal
    ending: StopDecision
    result: TrialResult


def as_running(task: TrialTask) -> TrialResult:
    """Return what `automl status` shows of a trial until it ends."""
    return TrialResult(
        number=task.number,
        state=TrialState.RUNNING,
        assignment=task.assignment,
        directory=task.directory.relative_to(task.study_directory).as_posix(),
        attempt=task.attempt,
        replicate_of=task.replicate_of,
        seed=task.seed,
        origin=task.origin,
    )
