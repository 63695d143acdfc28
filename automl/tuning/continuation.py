"""Continue a trial that was cut off: from which checkpoint, and what its earlier attempts had measured by then.

Each attempt has a directory of its own, because trainers resume by themselves from whatever they find in an old one. So
a continued attempt is told its checkpoint, and the epochs before it are read from the directories left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.measurements.status_file import StatusReader
from automl.tuning.checkpoints import list_checkpoints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.study.trial import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Where an attempt takes up an earlier one.

    Attributes:
        checkpoint: The last whole checkpoint of the earlier attempts.
        first_epoch: Zero-based epoch that comes after it.
        directories: The earlier attempts' directories, the oldest first.
    """

    checkpoint: Path
    first_epoch: int
    directories: tuple[Path, ...]


def find_continuation(directories: Sequence[Path], network_arch: str) -> Continuation | None:
    """Return how to continue a trial, or None where no attempt left a whole checkpoint with an epoch.

    Args:
        directories: The directories of the earlier attempts, the oldest first.
        network_arch: Key of the table of checkpoint names.
    """
    found = [c for directory in directories for c in list_checkpoints(directory, network_arch) if c.epoch is not None]
    if not found:
        return None
    # Of equal ones the newest attempt's: an older attempt may have been started from other weights.
    last = max(enumerate(found), key=lambda pair: (pair[1].epoch or 0, pair[1].step or 0, pair[0]))[1]
    return Continuation(checkpoint=last.path, first_epoch=(last.epoch or 0) + 1, directories=tuple(directories))


def earlier_measurements(directories: Sequence[Path], first_epoch: int) -> list[Measurement]:
    """Return what earlier attempts measured in the epochs before ``first_epoch``, the oldest attempt first."""
    return [
        measurement
        for directory in directories
        for measurement in StatusReader(directory).finish()
        if measurement.epoch is not None and measurement.epoch < first_epoch
    ]
