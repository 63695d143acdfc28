"""Delete the checkpoints that cannot win any more, once their writer is dead.

A trial's checkpoints are hundreds of megabytes an epoch, and only one epoch of one trial is handed over. What stays:
the checkpoint of the incumbent's best epoch, those of trials that others start from, and every file of a trial that may
still run. Status files, logs and specs always stay.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.tuning.checkpoints import all_checkpoints, size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from automl.study.directory import StudyDirectory
    from automl.study.trial import TrialResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """What was deleted.

    Attributes:
        files: Checkpoints, relative to the study directory.
        freed_bytes: Their size.
    """

    files: tuple[str, ...]
    freed_bytes: int


def retire_checkpoints(
    directory: StudyDirectory, finished: Sequence[TrialResult], network_arch: str, *, kept: Collection[int]
) -> Retired:
    """Delete every checkpoint of the finished trials except the best one of each trial that is kept.

    Links called "latest" that lead to a deleted file are deleted with it. A file that cannot be deleted is left.

    Args:
        directory: The study directory.
        finished: Trials whose processes are dead; others are not touched.
        network_arch: Key of the table of checkpoint names.
        kept: Numbers of the trials that keep their best checkpoint: the incumbent, parents, the Pareto front.
    """
    files: list[str] = []
    freed_bytes = 0
    for result in finished:
        needed = directory.root / result.checkpoint if result.number in kept and result.checkpoint else None
        for folder in _attempts(directory, result.number):
            for path in all_checkpoints(folder, network_arch):
                # A kept trial whose best checkpoint is not known keeps everything: better too much than the wrong one.
                if path == needed or (result.number in kept and needed is None):
                    continue
                size = size_of(path)
                if _delete(path):
                    files.append(str(path.relative_to(directory.root)))
                    freed_bytes += size
            _delete_dangling_links(folder)
    return Retired(files=tuple(files), freed_bytes=freed_bytes)


def _attempts(directory: StudyDirectory, number: int) -> list[Path]:
    first = directory.trial(number)
    return [folder for folder in (first, *sorted(first.parent.glob(f"{first.name}.*"))) if folder.is_dir()]


def _delete(path: Path) -> bool:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        logger.warning("the checkpoint %s could not be deleted: %s", path, error)
        return False
    return True


def _delete_dangling_links(folder: Path) -> None:
    for link in folder.rglob("*latest*"):
        if link.is_symlink() and not link.exists():
            _delete(link)
