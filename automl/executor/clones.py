"""Trials that begin with the checkpoint of another trial: which one, and a file of their own of it.

The parent goes on training and its trainer may delete the checkpoint, so the copy gets a name of its own for the file
(a hard link where the file system has them) below its first attempt.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from automl.samplers.explore import explore
from automl.schedulers.base import Copy
from automl.study.causes import Origin, OriginKind
from automl.trial.attempts import Start, measured_by, next_start
from automl.trial.continuation import find_continuation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.samplers.base import Searcher
    from automl.space.values import Scalar
    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.trial import Proposal, TrialResult
    from automl.trial.attempts import Change


def propose_copy(plan: StudyPlan, searcher: Searcher, copy: Copy, assignment: Mapping[str, Scalar]) -> Proposal:
    """Return a new proposal that explores around its parent's assignment; its origin names parent and epoch."""
    return searcher.adopt(
        lambda number: explore(plan.space, assignment, seed=plan.seed, number=number),
        origin=Origin(OriginKind.CLONE, parent=copy.parent, epoch=copy.epoch),
    )


def copy_of(proposal: Proposal) -> Copy | None:
    """Return what a proposal copies; None for one that begins by itself."""
    origin = proposal.origin
    if origin.kind is not OriginKind.CLONE or origin.parent is None or origin.epoch is None:
        return None
    return Copy(parent=origin.parent, epoch=origin.epoch)


def was_copied(result: TrialResult) -> bool:
    """Tell whether a result is that of a copy."""
    return result.parent is not None


def start_of(plan: StudyPlan, directory: StudyPaths, proposal: Proposal, change: Change) -> Start:
    """Return how the next attempt of a trial starts, be it a copy's first one.

    Raises:
        OSError: the checkpoint of a copy cannot be linked or copied.
        ConfigurationError: the start of an attempt cannot be read.
    """
    number, copy = proposal.number, copy_of(proposal)
    if copy is not None and not directory.attempt(number).start_file.exists():
        return start_of_copy(plan, directory, number, copy)
    return next_start(plan, directory, number, change)


def start_of_copy(plan: StudyPlan, directory: StudyPaths, number: int, copy: Copy) -> Start:
    """Return the start of a copy's first attempt, with the parent's checkpoint under the copy's directory.

    Where the parent's trainer has deleted that of the epoch meant, it is the newest one. A parent that has left none
    with anything left to train is a parent in name only: the copy then starts from nothing.

    Raises:
        OSError: the checkpoint cannot be linked or copied.
        ConfigurationError: the start of an attempt cannot be read.
    """
    folders = measured_by(directory, copy.parent)
    found = find_continuation(folders, plan.skill.architecture.checkpoints, until=copy.epoch)
    if found is None or (plan.max_epochs is not None and found.first_epoch >= plan.max_epochs):
        return Start(parent=copy.parent)
    place = directory.attempt(number).parent_checkpoints / found.checkpoint.name
    shutil.rmtree(place.parent, ignore_errors=True)
    place.parent.mkdir(parents=True, mode=0o700)
    _copy(found.checkpoint, place)
    return Start(checkpoint=place, first_epoch=found.first_epoch, parent=copy.parent)


def _copy(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place)
        return
    try:
        os.link(source, place)
    except OSError:
        shutil.copy2(source, place)
