"""Notice that something else has taken the place of a study, or of a folder in it, that this process works on.

A trainer may put a link in the place of a folder of its study, and a user may move the study away and another one to
its path: by that path this process would write into what is not its own, and read it. So writers of documents, makers
of folders and readers of what trainers made ask here first; of a study that is not held, nothing is asked.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from automl.visible_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIALS = "trials"
_DEPTH = 2
"""Below it a path belongs to a trainer: ``trials/0007``."""


class ReplacedFolderError(OSError):
    """A folder of a held study is no longer what it was; ``filename`` names it, ``strerror`` says what was found."""

    def __str__(self) -> str:
        """Return what was found and what to do, as a sentence without its end."""
        return f"{self.filename} {self.strerror}, and nothing more is written or read there: put back what was there"


class _HeldStudy:
    """What was in the place of a study when it was first seen.

    Open descriptors keep the numbers of folders valid, also on file systems that give new ones to what nobody uses.
    """

    def __init__(self, root: Path) -> None:
        self.holders = 0
        self._root, self._opened = root, ExitStack()
        self._folders: dict[Path, int] = {}
        self._hold(root)
        with suppress(FileNotFoundError):
            self._hold(root / _TRIALS)
        self._links = {*_links(root), *_links(root / _TRIALS)}

    def close(self) -> None:
        """Close what is open."""
        self._opened.close()

    @property
    def place(self) -> Path | None:
        """Where it lies now; None if it was deleted."""
        opened = self._folders[self._root]
        place = Path(f"/proc/self/fd/{opened}").readlink()
        with suppress(OSError):
            found, held = place.stat(), os.fstat(opened)
            return place if (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino) else None
        return None

    def require(self, path: Path) -> None:
        """Check the study and the folders on the way to a path in it, above all that of its trials."""
        parts = path.relative_to(self._root).parts[:_DEPTH]
        on_the_way = [self._root, *(self._root.joinpath(*parts[: count + 1]) for count in range(len(parts)))]
        for folder in on_the_way:
            if folder != self._root and folder not in self._links and _is_link(folder):
                raise _replaced(folder)
            if folder == self._root / _TRIALS and folder not in self._folders:
                with suppress(FileNotFoundError):
                    self._hold(folder)
            if folder in self._folders:
                self._require_same(folder)

    def _require_same(self, folder: Path) -> None:
        held = os.fstat(self._folders[folder])
        try:
            found = folder.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _replaced(folder) from error
        except OSError:
            return  # storage that fails for a moment replaces nothing; what is written there meets the same error
        if (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino):
            raise _replaced(folder)

    def _hold(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._opened.callback(os.close, descriptor)
        self._folders[folder] = descriptor


_held: dict[Path, _HeldStudy] = {}
_lock = threading.RLock()
"""Trials may run in threads of one process: none closes what another one looks at."""


@contextmanager
def held_study(root: Path) -> Iterator[None]:
    """Hold a study directory while this process works on it; one that it holds already stays held until all let go.

    Raises:
        OSError: it is not there.
    """
    with _lock:
        study = _held[root] = _held.get(root) or _HeldStudy(root)
        study.holders += 1
    try:
        yield
    finally:
        with _lock:
            study.holders -= 1
            if not study.holders:
                del _held[root]
                study.close()


def require_held(path: Path) -> None:
    """Check that a folder of a study which this process holds is still the one that it was.

    Raises:
        ReplacedFolderError: it, the study or its folder of trials is gone, or something else is in that place.
    """
    with _lock:
        for root, study in _held.items():
            if path.is_relative_to(root):
                study.require(path)


def moved_to(root: Path) -> Path | None:
    """Return where a study that this process holds lies now; None where that is unknown, or the study was deleted."""
    with _lock:
        place = _held[root].place if root in _held else None
    return place if place != root else None


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # it cannot be looked at now
        return False


def _links(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (folder / entry.name for entry in entries if entry.is_symlink())


def _replaced(folder: Path) -> ReplacedFolderError:
    try:
        is_link = _is_link(folder)
        found = f"is a link to {folder.readlink()} now" if is_link else "is another folder now" * folder.exists()
    except OSError:
        found = ""
    found = one_line(found)
    return ReplacedFolderError(errno.ESTALE, found or "was moved or deleted", str(folder))
