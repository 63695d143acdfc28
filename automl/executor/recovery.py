"""What is made of trials whose runner is gone, and of a study directory that cannot be written."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.executor.reports import StopDecision
from automl.schedulers.base import Decision
from automl.study.trial import FailureKind, TrialResult, TrialState
from automl.trial.attempts import measured_by, next_attempt, read_start, seconds_of_attempts
from automl.trial.outcome import INTERRUPTED, PAUSED
from automl.trial.runner import conclude_trial
from automl.trial.stop_request import read_last_epoch, read_stop_request
from automl.trial.tasks import build_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.trial import Proposal
    from automl.trial.task import TrialTask


def asked_to_stop(directory: StudyPaths, number: int) -> StopDecision | None:
    """Return the request to stop that the last attempt of a trial got and may not have answered; None without one."""
    attempt = next_attempt(directory, number) - 1
    if attempt == 0:
        return None
    folder = directory.attempt(number, attempt).root
    reason, last_epoch = read_stop_request(folder), read_last_epoch(folder)
    if reason is None or reason.startswith((INTERRUPTED, PAUSED)):
        return None  # what the rule paused it has also journaled, and may have promoted since
    return StopDecision(
        decision=Decision.STOP, reason=reason, epoch=sys.maxsize - 1 if last_epoch is None else last_epoch
    )


def conclude(plan: StudyPlan, directory: StudyPaths, proposal: Proposal, ending: StopDecision) -> TrialResult:
    """Return the result of a trial whose end was decided when its runner was lost, from what it has measured.

    Raises:
        ConfigurationError: the start of one of its attempts cannot be read.
    """
    attempt = max(1, next_attempt(directory, proposal.number) - 1)
    start = replace(read_start(directory.attempt(proposal.number, attempt).root, directory.root), attempt=attempt)
    task = build_task(plan, directory, proposal, start)
    earlier = measured_by(directory, proposal.number)
    is_pause = ending.decision is Decision.PAUSE
    reason = f"{PAUSED}: {ending.reason}" if is_pause else ending.reason
    earlier_s = seconds_of_attempts(directory, proposal.number)
    return conclude_trial(replace(task, earlier=earlier, first_epoch=ending.epoch + 1, earlier_s=earlier_s), reason)


def lost_result(task: TrialTask, reason: str, *, stop_reason: str, since_s: float) -> TrialResult:
    """Return the result of an attempt whose worker or node is gone.

    Args:
        task: The attempt.
        reason: What is gone.
        stop_reason: Why it was being stopped; empty if it was not.
        since_s: Monotonic time of its start.
    """
    is_interrupted = stop_reason.startswith(INTERRUPTED)
    return TrialResult(
        number=task.number,
        state=TrialState.INTERRUPTED if is_interrupted else TrialState.FAILED,
        failure=None if is_interrupted else FailureKind.INFRASTRUCTURE,
        assignment=dict(task.assignment),
        directory=task.directory.relative_to(task.study_directory).as_posix(),
        reason=stop_reason if is_interrupted else reason,
        elapsed_s=task.earlier_s + time.monotonic() - since_s,
        attempt=task.attempt,
        parent=task.parent,
        replicate_of=task.replicate_of,
        seed=task.seed,
        origin=task.origin,
        changes=dict(task.changes),
        gpus=task.gpus,
    )


@contextlib.contextmanager
def recorded(root: Path) -> Iterator[None]:
    """Turn a failing write into an error that says where and what to do.

    Raises:
        LaunchError: something in the study directory cannot be written.
    """
    try:
        yield
    except OSError as error:
        cause = os.strerror(error.errno) if error.errno else str(error)
        raise LaunchError(
            f"the study directory {root} cannot be written ({cause}); what it holds is kept: make room or make it"
            f" writable, then go on with: automl resume {root}"
        ) from error
