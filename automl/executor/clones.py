"""Trials that begin with the checkpoint of another trial: which one, and a file of their own of it.

The parent goes on training and its trainer may delete the checkpoint, so the clone gets a name of its own for the file
(a hard link where the file system has them) below its first attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.storage.paths import make_folder
from automl.storage.trainer_files import keep_made
from automl.study.causes import OriginKind
from automl.study.state import Phase
from automl.trial.attempts import Start, find_continuation, measured_by, next_start, unused_attempt
from automl.trial.checkpoints import list_checkpoints
from automl.trial.watch import watch_of

if TYPE_CHECKING:
    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.state import StudyState, TrialRecord


def start_of(plan: StudyPlan, paths: StudyPaths, state: StudyState, trial: TrialRecord) -> Start | None:
    """Return how the next attempt of a trial starts, be it a clone's first one (see `start_of_clone`).

    None while the clone waits for the checkpoint that its parent is about to save.
    """
    origin = trial.proposal.origin
    if origin.kind is OriginKind.CLONE and origin.parent is not None and origin.epoch is not None and not trial.starts:
        parent = state.trials[origin.parent]
        if _is_saving(plan, paths, parent, origin.epoch):
            return None
        return start_of_clone(plan, paths, trial.number, parent, epoch=origin.epoch)
    return next_start(plan, paths, trial)


def start_of_clone(plan: StudyPlan, paths: StudyPaths, number: int, parent: TrialRecord, *, epoch: int) -> Start:
    """Return the start of a clone's first attempt, with the parent's checkpoint under the clone's directory.

    Where the parent's trainer has deleted that of the epoch meant, it is the newest one. If no usable checkpoint
    remains, or none with anything left to train, the clone starts from scratch, says so, and keeps its parent's number.

    Raises:
        OSError: the checkpoint cannot be linked or copied.
    """
    found = find_continuation(measured_by(paths, parent), watch_of(plan), until=epoch)
    if found is None or (plan.max_epochs is not None and found.first_epoch >= plan.max_epochs):
        return Start(parent=parent.number, remark=f"trial {parent.number} has no checkpoint to begin with")
    attempt = unused_attempt(paths, number)
    own = paths.attempt(number, attempt).parent_checkpoints / found.checkpoint.name
    make_folder(own.parent, below=paths.root)
    keep_made(paths.maker_of(found.checkpoint), found.checkpoint, own)
    return Start(attempt=attempt, checkpoint=own, first_epoch=found.first_epoch, parent=parent.number)


def _is_saving(plan: StudyPlan, paths: StudyPaths, parent: TrialRecord, epoch: int) -> bool:
    """Tell whether a trial that has reported an epoch is about to save its checkpoint, which takes time.

    It is not where it is an epoch further, nor where it does not save each epoch.
    """
    if parent.phase is not Phase.RUNNING or parent.epochs > epoch + 1:
        return False
    naming = watch_of(plan).naming
    saved = [c.epoch for directory in measured_by(paths, parent) for c in list_checkpoints(directory, naming)]
    return max(saved, default=epoch - 1) == epoch - 1
