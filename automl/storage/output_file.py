"""Files that a user names for what a command writes: an earlier one of its kind is replaced, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.regular_file import followed, open_regular
from automl.storage.own_folders import study_around
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    from pathlib import Path

_HEAD_BYTES = 4096


def require_output(file: Path, *, mark: str, kind: str) -> None:
    """Raise unless a file can be written without harm.

    Args:
        file: Where to write.
        mark: What stands at the beginning of every such file.
        kind: What the command writes, "a report".

    Raises:
        ConfigurationError: another file is there, or the place is in a study, whose files have names of their own.
        OSError: what is there is no file, or cannot be read.
    """
    place = followed(file.absolute())
    study = study_around(place.parent)
    if study is not None and place != StudyPaths(study).report_file:
        found, fix = f"a place in the study {study}", "name a file outside it"
    elif _is_replaced(place, mark):
        return
    else:
        found, fix = f"a file that is not {kind}", "name another file, or remove this one"
    expected = f"a new file, or {kind} that automl wrote"
    raise ConfigurationError.single("the output", where=str(file), found=found, expected=expected, fix=fix)


def _is_replaced(file: Path, mark: str) -> bool:
    try:
        with open_regular(file) as stream:
            return mark.encode() in stream.read(_HEAD_BYTES)
    except FileNotFoundError:
        return True
