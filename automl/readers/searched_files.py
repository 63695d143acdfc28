"""Find the files of a trial that are read by their names, wherever they lie, and read them while they grow."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.metric_file import MetricFileReader
from automl.readers.status_file import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from automl.readers.metric_format import MetricFormat
    from automl.study.trial import Measurement

_DEEPEST_FOLDER = 5
_SEARCH_INTERVAL_S = 1.0
_MOST_FILES = 200


@dataclass(slots=True)
class SearchedFiles(ABC):
    """Reads the files of a directory that have certain names.

    Attributes:
        directory: The trial directory.
    """

    directory: Path
    _files: dict[Path, MetricFileReader] = field(default_factory=dict, init=False)
    _next_search_s: float = field(default=0.0, init=False)

    @property
    def has_files(self) -> bool:
        """Whether a file was found."""
        return bool(self._files)

    def read(self) -> list[Measurement]:
        """Return what is new in the files."""
        now_s = time.monotonic()
        if now_s >= self._next_search_s:
            self._search()
            self._next_search_s = now_s + _SEARCH_INTERVAL_S
        return self._collect(lambda reader: reader.read())

    def finish(self) -> list[Measurement]:
        """Return what is new in the files; call it when the writer has ended."""
        self._search()
        return self._collect(lambda reader: reader.finish())

    @abstractmethod
    def _is_named(self, name: str) -> bool:
        """Whether a file of this name is read."""

    @abstractmethod
    def _collect(self, read: Callable[[MetricFileReader], Iterable[Measurement]]) -> list[Measurement]:
        """Return what is new in the files, as ``read`` reads one."""

    def _format(self) -> MetricFormat | None:
        """The format of all files; by default that of each one's name."""
        return None

    def _search(self) -> None:
        found = walk(self.directory, deepest=_DEEPEST_FOLDER)
        named = {folder / name for folder, _, files in found for name in files if self._is_named(name)}
        for path in sorted(named - self._files.keys()):
            if not path.is_symlink() and len(self._files) < _MOST_FILES:
                relative = str(path.relative_to(self.directory))
                self._files[path] = MetricFileReader(self.directory, relative, self._format())
