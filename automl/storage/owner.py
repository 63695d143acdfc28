"""Which process runs a study, asked from outside: by the lock that the searcher holds on its journal while it lives."""

from __future__ import annotations

import fcntl
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.storage.paths import StudyPaths

# struct flock of Linux on 64 bits: type, whence, start, length, process.
_FLOCK = "hhqqi"


def running_process(directory: StudyPaths) -> int | None:
    """Return the process that runs a study; None if no living process does, whatever its files say.

    The kernel gives the lock back when its process ends, however it ends. Nothing is locked by asking. It must not be
    asked by the process that runs the study: closing the file would give its own lock back.
    """
    try:
        handle = os.open(directory.owner_file, os.O_RDWR)
    except OSError:
        return None
    try:
        answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return None
    finally:
        os.close(handle)
    kind, _, _, _, process = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(process)
