"""Find the files of a trial by their names, wherever below its folder they lie, as they appear."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from automl.study.trial import Measurement

R = TypeVar("R")
_DEEPEST_FOLDER = 5
_INTERVAL_S = 1.0
_MOST_FILES = 200


@dataclass(slots=True)
class FolderSearch:
    """Looks for new files once a second, and finds 200 at most.

    Attributes:
        directory: The trial directory.
        is_named: Whether a file of this name is looked for.
        pattern: Of the files' paths, relative to the directory, where they are not looked for everywhere.
        is_impatient: Look at every call until the first file is found.
        has_links: Links count too; who opens one that leads elsewhere says so.
    """

    directory: Path
    is_named: Callable[[str], bool]
    pattern: str | None = None
    is_impatient: bool = False
    has_links: bool = False
    _found: set[Path] = field(default_factory=set, init=False)
    _next_s: float = field(default=0.0, init=False)

    def new_files(self, *, is_last: bool = False) -> list[Path]:
        """Return the files that were not there at the last search, in order of paths; ``is_last`` does not wait."""
        now_s = time.monotonic()
        if not is_last and now_s < self._next_s and not (self.is_impatient and not self._found):
            return []
        self._next_s = now_s + _INTERVAL_S
        new = sorted(set(self._named_files()) - self._found)[: _MOST_FILES - len(self._found)]
        self._found.update(new)
        return new

    def _named_files(self) -> Iterator[Path]:
        if self.pattern is not None:
            found = (path for path in self.directory.glob(self.pattern) if path.is_file())
        else:
            walked = walk(self.directory, deepest=_DEEPEST_FOLDER)
            found = (folder / name for folder, _, files in walked for name in files)
        return (path for path in found if self.is_named(path.name) and (self.has_links or not path.is_symlink()))


@dataclass(slots=True)
class SearchedFiles(ABC, Generic[R]):
    """Reads the files of a directory that have certain names, each by a reader of its own.

    Attributes:
        directory: The trial directory.
    """

    directory: Path
    _files: dict[Path, R] = field(default_factory=dict, init=False)
    _search: FolderSearch = field(init=False)

    def __post_init__(self) -> None:
        self._search = FolderSearch(self.directory, self._is_named)

    @property
    def has_files(self) -> bool:
        """Whether a file was found."""
        return bool(self._files)

    def read(self) -> list[Measurement]:
        """Return what is new in the files."""
        return list(self._collected(is_over=False))

    def finish(self) -> Iterator[Measurement]:
        """Yield what is left in the files; call it when the writer has ended."""
        return self._collected(is_over=True)

    @abstractmethod
    def _is_named(self, name: str) -> bool:
        """Whether a file of this name is read."""

    @abstractmethod
    def _reader(self, path: Path) -> R:
        """Return what reads a file."""

    @abstractmethod
    def _read(self, path: Path, reader: R, *, is_over: bool) -> Iterable[Measurement]:
        """Return what is new in a file."""

    def _collected(self, *, is_over: bool) -> Iterator[Measurement]:
        for path in self._search.new_files(is_last=is_over):
            self._files[path] = self._reader(path)
        for path, reader in self._files.items():
            yield from self._read(path, reader, is_over=is_over)


def walk(directory: Path, *, deepest: int) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield folders with their names of folders and files, at most so many levels below a directory.

    Folders that vanish or cannot be read are left out, and links are not followed.
    """
    for name, folders, files in os.walk(directory):
        folder = Path(name)
        yield folder, folders, files
        if len(folder.parts) - len(directory.parts) >= deepest:
            folders.clear()
