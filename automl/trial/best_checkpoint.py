"""The checkpoint of a trial's best epoch: wait for it when the trial is stopped, find and hash it when it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from automl.storage.paths import StudyPaths
from automl.storage.trainer_files import sha256_of
from automl.trial.checkpoints import checkpoint_of_epoch, list_checkpoints, refuse_unusable, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.launch.base import Job
    from automl.trial.history import TrialHistory
    from automl.trial.task import TrialTask

# Trainers validate, report, then save: a stop that comes with the report would lose the file it asks for.
WAIT_LIMIT_S = 3.0
_POLL_S = 0.05
HASHED_AT_ONCE_BYTES = 512 * 1024 * 1024
"""Larger checkpoints are hashed when they are handed over: a trial must not hold its GPU for that."""


class BestCheckpoint(NamedTuple):
    """The checkpoint of the best epoch, relative to the study directory; None where it left none, or is not hashed."""

    path: str | None = None
    sha256: str | None = None


def await_checkpoint(
    job: Job, directory: Path, naming: CheckpointNaming, history: TrialHistory, *, continues: bool = False
) -> None:
    """Give a healthy trial time to finish the checkpoint of its latest epoch, if that is its best or continued from.

    A trainer that has not saved an earlier epoch by now does not save every epoch: it is not waited for.
    """
    last = history.last_epoch
    if last is None or (last != history.best_epoch and not continues):
        return
    if history.epochs > 1 and not list_checkpoints(directory, naming):
        return
    deadline_s = time.monotonic() + WAIT_LIMIT_S
    while time.monotonic() < deadline_s and job.poll() is None:
        if checkpoint_of_epoch(directory, naming, last) is not None:
            return
        time.sleep(_POLL_S)


def find_best(task: TrialTask, history: TrialHistory) -> BestCheckpoint:
    """Return the checkpoint of the best epoch, with its hash unless it is large."""
    if history.best_epoch is None:
        return BestCheckpoint()
    is_earlier = history.best_epoch < task.start.first_epoch
    # An attempt that went on from the middle of an epoch has finished that epoch itself.
    folders = (task.directory, *(reversed(task.start.earlier) if is_earlier else ()))
    candidates = (checkpoint_of_epoch(folder, task.watch.naming, history.best_epoch) for folder in folders)
    found = next((path for path in candidates if path is not None), None)
    if found is None:
        for folder in folders:
            refuse_unusable(folder, task.watch.naming, history.best_epoch)
        return BestCheckpoint()
    digest = sha256_of(found) if size_of(found) <= HASHED_AT_ONCE_BYTES else None
    return BestCheckpoint(StudyPaths(task.study_directory).relative(found), digest)
