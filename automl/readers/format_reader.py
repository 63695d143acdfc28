"""Read every file below a trial that has a certain name, wherever it lies, while it grows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from automl.readers.folder_search import FolderSearch
from automl.readers.metric_file import MetricFileReader
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from pathlib import Path

    from automl.readers.metric_format import MetricFormat


@dataclass(slots=True)
class SearchedFiles(ABC):
    """Reads the files of a directory that have certain names.

    Attributes:
        directory: The trial directory.
    """

    directory: Path
    _files: dict[Path, MetricFileReader] = field(default_factory=dict, init=False)
    _search: FolderSearch = field(init=False)

    def __post_init__(self) -> None:
        self._search = FolderSearch(self.directory, self._is_named)

    @property
    def has_files(self) -> bool:
        """Whether a file was found."""
        return bool(self._files)

    def read(self) -> list[Measurement]:
        """Return what is new in the files."""
        return self._collected(is_over=False)

    def finish(self) -> list[Measurement]:
        """Return what is new in the files; call it when the writer has ended."""
        return self._collected(is_over=True)

    @abstractmethod
    def _is_named(self, name: str) -> bool:
        """Whether a file of this name is read."""

    @abstractmethod
    def _reader(self, name: str) -> MetricFileReader:
        """Return what reads a file, by its path below the directory."""

    @abstractmethod
    def _read(self, path: Path, reader: MetricFileReader, *, is_over: bool) -> list[Measurement]:
        """Return what is new in a file."""

    def _collected(self, *, is_over: bool) -> list[Measurement]:
        for path in self._search.new_files(is_last=is_over):
            self._files[path] = self._reader(str(path.relative_to(self.directory)))
        return [found for path, reader in self._files.items() for found in self._read(path, reader, is_over=is_over)]


@dataclass(slots=True)
class FormatReader(SearchedFiles):
    """Reads the files of one format, that of a plug-in; what it raises is a notice, once, and ends the file.

    Attributes:
        format: The format.
    """

    format: MetricFormat
    _failed: set[Path] = field(default_factory=set, init=False)

    def _is_named(self, name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in self.format.patterns)

    def _reader(self, name: str) -> MetricFileReader:
        return MetricFileReader(self.directory, name, self.format)

    def _read(self, path: Path, reader: MetricFileReader, *, is_over: bool) -> list[Measurement]:
        if path in self._failed:
            return []
        try:
            return reader.finish() if is_over else reader.read()
        except Exception as error:  # noqa: BLE001 # a plug-in, on whatever a trainer has written
            self._failed.add(path)
            name, what = path.relative_to(self.directory), type(self.format).__name__
            return [Measurement(notice=f"{name} was not read by {what}: {type(error).__name__}: {error}")]
