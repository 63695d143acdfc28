"""Read every file below a trial whose name is of one format, that of a plug-in, while it grows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from automl.readers.metric_file import MetricFileReader
from automl.readers.status_file import walk
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from automl.readers.metric_format import MetricFormat

_DEEPEST_FOLDER = 5
_SEARCH_INTERVAL_S = 1.0
_MOST_FILES = 200


@dataclass(slots=True)
class FormatReader:
    """Reads the files of one format; what the format raises is a notice, once, and ends the file.

    Attributes:
        directory: The trial directory.
        format: The format.
    """

    directory: Path
    format: MetricFormat
    _files: dict[Path, MetricFileReader] = field(default_factory=dict)
    _failed: set[Path] = field(default_factory=set)
    _next_search_s: float = 0.0

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

    def _collect(self, read: Callable[[MetricFileReader], Iterable[Measurement]]) -> list[Measurement]:
        found: list[Measurement] = []
        for path, reader in self._files.items():
            if path in self._failed:
                continue
            try:
                found += read(reader)
            except Exception as error:  # noqa: BLE001 # a plug-in, on whatever a trainer has written
                self._failed.add(path)
                name, what = path.relative_to(self.directory), type(self.format).__name__
                found.append(Measurement(notice=f"{name} was not read by {what}: {type(error).__name__}: {error}"))
        return found

    def _search(self) -> None:
        for folder, _, files in walk(self.directory, deepest=_DEEPEST_FOLDER):
            for name in sorted(files):
                path = folder / name
                is_named = any(fnmatch(name, pattern) for pattern in self.format.patterns) and path not in self._files
                if is_named and len(self._files) < _MOST_FILES and not path.is_symlink():
                    relative = str(path.relative_to(self.directory))
                    self._files[path] = MetricFileReader(self.directory, relative, self.format)
