"""Ask a running trial to stop: a file `stop` in the directory of its attempt, which holds the cause as JSON.

The study's own decisions and `automl stop STUDY --trial N` use the same file, so a trial that is stopped ends like any
other: by its own result, with its processes dead before the slot is used again. The same file in the study directory
asks for the end of the study. Plain text in it, as a person would write it, is a user's reason.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from automl.storage.documents import CHECK, from_json, without_check, write_document
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.trainer_files import read_made
from automl.study.ends import StopCause, StopKind

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

_LONGEST_REQUEST_BYTES = 64 * 1024


def request_stop(directory: Path, cause: StopCause, *, study: Path | None = None) -> None:
    """Ask for the end of an attempt of a study, or of the study; a later cause replaces one that was not read yet.

    Raises:
        OSError: the study is not there, or the file cannot be written.
    """
    make_folder(directory, below=study or directory)  # an attempt may have lost its folder
    write_document(StudyPaths(directory).stop_file, cause)


def read_stop_request(directory: Path) -> StopCause | None:
    """Return the cause if a stop was asked for, else None.

    One that `automl` wrote and that cannot be read interrupts: a resume continues what it stops.
    """
    file = StudyPaths(directory).stop_file
    if not file.exists():
        return None
    try:
        content = read_made(directory, file, most_bytes=_LONGEST_REQUEST_BYTES)
    except OSError:  # whatever lies there, it asks for the end
        content = b""
    with suppress(ValueError, RecursionError):
        return from_json(without_check(json.loads(content))[0], StopCause)
    text = content.decode("utf-8", errors="replace")
    if text.startswith("{\n") or f'"{CHECK}"' in text:
        logger.warning("%s cannot be read, or was changed; a resume continues what it stops", file)
        return StopCause(kind=StopKind.INTERRUPTED, detail=f"{file.name} cannot be read")
    return StopCause(kind=StopKind.USER, detail=" ".join(text.split("\n", 1)[0].split()))
