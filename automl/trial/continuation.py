"""Continue a trial that was cut off: from which checkpoint, and what its earlier attempts had measured by then.

Each attempt has a directory of its own, because trainers resume by themselves from whatever they find in an old one. So
a continued attempt is given its checkpoint, and the epochs before it are read from the directories left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from automl.readers.status_file import StatusReader
from automl.trial.checkpoints import list_checkpoints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.study.trial import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Where an attempt takes up an earlier one.

    Attributes:
        checkpoint: The last whole checkpoint of the earlier attempts.
        first_epoch: Zero-based epoch that the attempt measures first.
        directories: The earlier attempts' directories, the oldest first.
    """

    checkpoint: Path
    first_epoch: int
    directories: tuple[Path, ...]


def find_continuation(
    directories: Sequence[Path], naming: CheckpointNaming, *, until: int | None = None
) -> Continuation | None:
    """Return how to continue a trial, or None where no attempt left a whole checkpoint with an epoch.

    A checkpoint is used only where the status files tell the epochs before it: trainers that report to their log alone
    are started anew, because their earlier epochs would be lost. A checkpoint of an epoch that was not reported yet was
    saved in the middle of it; the trainer then finishes that epoch.

    Args:
        directories: The directories of the earlier attempts, the oldest first.
        naming: How the trainer names its checkpoints.
        until: Zero-based epoch after which checkpoints are used only if there is no earlier one; None for no limit.
    """
    measured = sorted({m.epoch for m in _measurements(directories) if m.epoch is not None})
    furthest = measured[-1] + max([1, *(b - a for a, b in pairwise(measured))]) if measured else -1
    found = [c for directory in directories for c in list_checkpoints(directory, naming)]
    usable = [
        (c.epoch, c.step or 0, at, c) for at, c in enumerate(found) if c.epoch is not None and c.epoch <= furthest
    ]
    if not usable:
        return None
    usable = [entry for entry in usable if until is None or entry[0] <= until] or usable
    # Of equal ones the newest attempt's: an older attempt may have been started from other weights.
    epoch, _, _, last = max(usable, key=lambda entry: entry[:3])
    first_epoch = epoch + 1 if epoch in measured else epoch
    return Continuation(checkpoint=last.path, first_epoch=first_epoch, directories=tuple(directories))


def earlier_measurements(directories: Sequence[Path], first_epoch: int) -> list[Measurement]:
    """Return what earlier attempts measured in the epochs before ``first_epoch``, the oldest attempt first."""
    return [m for m in _measurements(directories) if m.epoch is not None and m.epoch < first_epoch]


def _measurements(directories: Sequence[Path]) -> list[Measurement]:
    found = [m for directory in directories for m in StatusReader(directory).finish()]
    return [m for m in found if m.values]
