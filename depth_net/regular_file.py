"""Open files that a spec or a list of samples names: regular files alone, and never waiting.

Opening or reading a pipe, a terminal, a socket or a device could wait for ever, so it is refused before it is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}


def open_regular(file: Path) -> BufferedReader:
    """Open a regular file for reading; links are followed.

    Raises:
        OSError: it is no regular file, is not there, or cannot be read, or its path holds a zero byte; ``strerror``
            says which.
    """
    if "\0" in str(file):
        raise OSError(errno.EINVAL, "its path holds a zero byte", str(file))
    # Only with O_PATH nothing is opened yet: opening alone waits for the writer of a pipe, or wakes it.
    found = os.open(file, os.O_PATH)
    try:
        mode = os.fstat(found).st_mode
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "a device")
            raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(file))
        return BufferedReader(FileIO(os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)))
    finally:
        os.close(found)
