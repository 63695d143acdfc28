"""Which process runs a study: the lock that it holds while it lives, and asking for it from outside.

A record lock of the kernel: it ends with its process, however that ends, is not inherited by forked children, and works
over NFS. Record locks do not exclude the same process, so owned files are also remembered here.
"""

from __future__ import annotations

import fcntl
import os
import struct
from typing import TYPE_CHECKING, Self

from automl.regular_file import followed, open_own, open_regular
from automl.storage.documents import study_error

if TYPE_CHECKING:
    from pathlib import Path

    from automl.errors import ConfigurationError
    from automl.storage.paths import StudyPaths

# struct flock of Linux on 64 bits: type, whence, start, length, process.
_FLOCK = "hhqqi"
_owned_here: dict[Path, int] = {}
"""Locked file -> process that locked it; a forked child inherits the entry and not the lock."""


def running_process(directory: StudyPaths) -> int | None:
    """Return the process that runs a study; None if no living process does, whatever its files say.

    Raises:
        ConfigurationError: the lock is there and cannot be asked for, so that a process may run the study.
    """
    if _owned_here.get(_file_of(directory)) == os.getpid():
        return os.getpid()  # the kernel is not asked: closing the file would give the lock back
    file, asked = directory.owner_file, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        # Read only: whoever may read a study may ask, also where its folder is mounted read-only.
        with open_regular(file) as stream:
            answer = fcntl.fcntl(stream, fcntl.F_GETLK, asked)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        found = f"whether a process runs this study cannot be read ({error.strerror or error})"
        expected = "a file that this user may read, on a file system with locks"
        fix = "give this user the right to read it, or ask as the user who runs the study"
        raise study_error(file, found, expected, fix) from error
    kind, _, _, _, process = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(process)


class OwnerLock:
    """Makes this process the only one that runs a study, until `release`, the end of a ``with`` block or its own end.

    Args:
        paths: Of the study.

    Raises:
        ConfigurationError: another living process, or another study of this process, has the lock.
    """

    def __init__(self, paths: StudyPaths) -> None:
        self._file = _file_of(paths)
        if self._file in _owned_here:
            raise _already_owned(paths.root, os.getpid())
        handle = open_own(self._file, os.O_RDWR, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 32).decode("ascii", errors="replace").strip()
            os.close(handle)
            raise _already_owned(paths.root, owner or "unknown") from error
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode("ascii"))
        _owned_here[self._file] = os.getpid()
        self._handle: int | None = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock up; doing so twice changes nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            _owned_here.pop(self._file, None)


def _file_of(paths: StudyPaths) -> Path:
    return followed(paths.root) / paths.owner_file.name


def _already_owned(root: Path, owner: int | str) -> ConfigurationError:
    fix = "wait for it, end it with `automl stop`, or start a study under another name"
    return study_error(root, f"process {owner} is running this study", "a study that no living process runs", fix)
