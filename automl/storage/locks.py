"""Locks of the journal that a dead process cannot keep.

Optuna's own locks are files: a killed writer leaves one behind and the next append waits 30 s. Kernel locks end with
their process. The owner lock is a record lock (not inherited by forked children, works over NFS); because record locks
do not exclude the same process, owned files are also remembered here.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from optuna.storages.journal import JournalFileOpenLock

from automl.errors import ConfigurationError, Problem
from automl.storage.paths import append_file, owner_file

if TYPE_CHECKING:
    from pathlib import Path

_owned_here: set[Path] = set()


class AppendLock(JournalFileOpenLock):
    """Excludes other writers for the time of one append.

    Args:
        file: The journal.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(str(file), grace_period=None)
        self._file = append_file(file)
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Wait for the lock; a writer that died holds nothing."""
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class OwnerLock:
    """Makes this process the only one that runs a study, until `release`, the end of a ``with`` block or its own end.

    Args:
        file: The study's Optuna journal, beside which the lock lies.

    Raises:
        ConfigurationError: another living process, or another study of this process, has the lock.
    """

    def __init__(self, file: Path) -> None:
        self._file = owner_file(file.resolve())
        if self._file in _owned_here:
            raise _already_owned(file, os.getpid())
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 32).decode("ascii", errors="replace").strip()
            os.close(handle)
            raise _already_owned(file, owner or "unknown") from error
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode("ascii"))
        _owned_here.add(self._file)
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
            _owned_here.discard(self._file)


def _already_owned(file: Path, owner: int | str) -> ConfigurationError:
    return ConfigurationError.from_problems(
        [
            Problem(
                where=str(file),
                found=f"process {owner} is running this study",
                expected="a study that no living process runs",
                fix="wait for it, end it with `automl stop`, or start a study under another name",
            )
        ],
        subject="the study directory",
    )
