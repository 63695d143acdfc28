"""Ask a running trial to stop: a file `stop` in the directory of its attempt, whose text is the reason.

The study's own decisions and `automl stop STUDY --trial N` take the same way, so a trial that is stopped ends like any
other: by its own result, with its processes dead before the slot is used again. The same file in the study directory
asks for the end of the study.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.storage.documents import write_text
from automl.storage.paths import AttemptPaths, StudyPaths

if TYPE_CHECKING:
    from pathlib import Path

_LAST_EPOCH = re.compile(r"last epoch (\d+)")


def request_stop(attempt_directory: Path, reason: str, *, last_epoch: int | None = None) -> None:
    """Ask for the end of an attempt; a later reason replaces an earlier one that was not read yet.

    Args:
        attempt_directory: ``trials/0007`` or ``trials/0007.2``.
        reason: One line; part of the trial's result. Beginning with ``interrupted`` or ``paused`` it makes the trial
            one that can go on.
        last_epoch: Zero-based epoch after which the decision was taken: what the trainer still measures while it is
            being ended does not count, so the same decision gives the same result. None counts everything.

    Raises:
        OSError: the file cannot be written.
    """
    ending = "" if last_epoch is None else f"last epoch {last_epoch}\n"
    write_text(AttemptPaths(attempt_directory).stop_file, f"{' '.join(reason.split())}\n{ending}")


def forget_stop_request(study_directory: Path) -> None:
    """Forget that an earlier run of a study was asked to end."""
    StudyPaths(study_directory).stop_file.unlink(missing_ok=True)


def read_stop_request(attempt_directory: Path) -> str | None:
    """Return the reason if a stop was asked for, else None."""
    lines = _read(attempt_directory)
    if lines is None:
        return None
    return (lines[0].strip() if lines else "") or "stopped on request"


def read_last_epoch(attempt_directory: Path) -> int | None:
    """Return the last epoch that counts if the stop request names one, else None."""
    found = [_LAST_EPOCH.fullmatch(line.strip()) for line in (_read(attempt_directory) or [])[1:]]
    return next((int(match[1]) for match in found if match is not None), None)


def _read(attempt_directory: Path) -> list[str] | None:
    try:
        return AttemptPaths(attempt_directory).stop_file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
