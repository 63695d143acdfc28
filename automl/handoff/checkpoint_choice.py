"""Which checkpoint an action works on: the best of the study, or the one of a trial and an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem, StudyFailedError
from automl.handoff.best import read_best, select_best
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.trial.checkpoints import checkpoint_of_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.space.values import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCheckpoint:
    """A checkpoint and where it comes from.

    Attributes:
        path: File or folder.
        trial: Number of the trial; None for a file from outside the study.
        epoch: Zero-based epoch; None where the trainer does not number them.
        assignment: The trial's values.
    """

    path: Path
    trial: int | None
    epoch: int | None
    assignment: Mapping[str, Scalar]


def choose_checkpoint(
    root: Path, naming: CheckpointNaming, *, trial: int | None, epoch: int | None
) -> ChosenCheckpoint:
    """Find a checkpoint.

    Args:
        root: The study directory.
        naming: How the trainer names its checkpoints.
        trial: A trial's number; None for the best checkpoint of the study.
        epoch: Zero-based epoch; None for the best one.

    Raises:
        ConfigurationError: there is no such trial, or it has no such checkpoint (any more).
    """
    if trial is None and epoch is None:
        return _best_of_study(root)
    directory = StudyPaths(root)
    results = {result.number: result for result in read_results(directory)}
    number = trial if trial is not None else read_best(root).trial
    result = results.get(number)
    if result is None:
        listed = ", ".join(str(known) for known in sorted(results)) or "no trial"
        raise _error(f"--trial {number}", "no such trial", listed, "choose one of these trials")
    wanted = result.best_epoch if epoch is None else epoch
    if epoch is None and result.checkpoint is not None and (root / result.checkpoint).exists():
        path: Path | None = root / result.checkpoint
    else:
        path = checkpoint_of_epoch(root / result.directory, naming, wanted) if wanted is not None else None
    if path is None:
        where = f"{root / result.directory}, epoch {wanted}"
        raise _error(where, "no checkpoint", "a file of that epoch", "choose another epoch; pruned files are gone")
    return ChosenCheckpoint(path=path, trial=number, epoch=wanted, assignment=result.assignment)


def _best_of_study(root: Path) -> ChosenCheckpoint:
    try:
        best = read_best(root) if StudyPaths(root).best_file.is_file() else select_best(root)
    except StudyFailedError as error:
        raise _error(str(root), error.headline, "a study with a best checkpoint", "run the study again") from error
    return ChosenCheckpoint(
        path=root / best.checkpoint,
        trial=best.trial,
        epoch=best.epoch,
        assignment=best.assignment,
    )


def _error(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the choice of a checkpoint")
