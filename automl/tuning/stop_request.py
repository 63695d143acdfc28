"""Ask a running trial to stop: a file `stop` in the directory of its attempt, whose text is the reason.

The study's own decisions and `automl stop STUDY --trial N` take the same way, so a trial that is stopped ends like any
other: by its own result, with its processes dead before the slot is used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.study.directory import write_text

if TYPE_CHECKING:
    from pathlib import Path

STOP_FILE = "stop"


def request_stop(attempt_directory: Path, reason: str) -> None:
    """Ask for the end of an attempt; a later reason replaces an earlier one that was not read yet.

    Args:
        attempt_directory: ``trials/0007`` or ``trials/0007.2``.
        reason: One line; part of the trial's result. Beginning with ``interrupted`` it makes the trial resumable.

    Raises:
        OSError: the file cannot be written.
    """
    write_text(attempt_directory / STOP_FILE, reason + "\n")


def read_stop_request(attempt_directory: Path) -> str | None:
    """Return the reason if a stop was asked for, else None."""
    try:
        text = (attempt_directory / STOP_FILE).read_text(encoding="utf-8")
    except OSError:
        return None
    return text.strip() or "stopped on request"
