"""Room on the disk while a study runs: no new trial when it runs short.

Checkpoints are what fills a disk. How large one is is known once a trial has saved one; before, it is guessed from the
weights that the spec starts from. What a study needs in all is estimated before it starts, by `automl.preflight`.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from automl.machine import shown_bytes
from automl.spec.model import iterate_leaves
from automl.trial.checkpoints import all_checkpoints, size_of

if TYPE_CHECKING:
    from automl.architectures.model import CheckpointNaming
    from automl.study.model import StudyPlan

LEAST_FREE_BYTES = 100 * 2**20
"""Below this nothing is started: results, logs and journals need room too."""
_FULL_BYTES = 2**20
# The weights and the two moments of Adam, in the same precision.
_STATES_PER_WEIGHT = 3
_WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors", ".tlt", ".hdf5")


def short_of_room(plan: StudyPlan, root: Path, largest_bytes: int) -> str | None:
    """Return why no further trial may start, or None while the disk has room for one checkpoint more per slot.

    The largest checkpoint of the study so far has ``largest_bytes``; 0 before the first.
    """
    free = free_bytes(root)
    needed = max(LEAST_FREE_BYTES, plan.resources.jobs * max(largest_bytes, guessed_bytes(plan)))
    if free is None or free >= needed:
        return None
    sizes = f"only {shown_bytes(free)} free on the disk of {root}, and a trial may need {shown_bytes(needed)}"
    return f"{sizes}: make room, then resume"


def is_full(folder: Path) -> bool:
    """Tell whether not even a log fits on the disk of a folder any more."""
    free = free_bytes(folder)
    return free is not None and free < _FULL_BYTES


def largest_checkpoint(folder: Path, naming: CheckpointNaming) -> int:
    """Return the bytes of the largest checkpoint below a folder; 0 if there is none."""
    largest = 0
    for path in all_checkpoints(folder, naming):
        with suppress(OSError):  # its trainer has deleted it meanwhile
            largest = max(largest, size_of(path))
    return largest


def guessed_bytes(plan: StudyPlan) -> int:
    """Return about how large a checkpoint will be, from the weights that the spec names; 0 where it names none."""
    named = [value for _, value in iterate_leaves(plan.spec.values) if isinstance(value, str)]
    return _STATES_PER_WEIGHT * max((_file_size(value) for value in named if value.endswith(_WEIGHTS)), default=0)


def free_bytes(place: Path) -> int | None:
    """Return the bytes free for this user on the disk of a folder or of the nearest one above; None if unknown."""
    with suppress(OSError, StopIteration):
        return shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free
    return None


def _file_size(text: str) -> int:
    with suppress(OSError, ValueError):  # a spec's text may be no path at all
        return Path(text).stat().st_size if Path(text).is_file() else 0
    return 0
