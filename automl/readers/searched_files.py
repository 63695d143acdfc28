"""Find the files of a trial that are read by their names, wherever they lie, and read them while they grow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.folder_search import FolderSearch
from automl.readers.metric_file import MetricFileReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from automl.readers.metric_format import MetricFormat
    from automl.study.trial import Measurement


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
        self._add(self._search.new_files())
        return self._collect(lambda reader: [] if self._comes_last(reader) else reader.read())

    def finish(self) -> list[Measurement]:
        """Return what is new in the files; call it when the writer has ended."""
        self._add(self._search.new_files(is_last=True))
        return self._collect(lambda reader: reader.finish())

    @abstractmethod
    def _is_named(self, name: str) -> bool:
        """Whether a file of this name is read."""

    @abstractmethod
    def _collect(self, read: Callable[[MetricFileReader], Iterable[Measurement]]) -> list[Measurement]:
        """Return what is new in the files, as ``read`` reads one."""

    def _comes_last(self, reader: MetricFileReader) -> bool:
        """Whether a file is read only once the writer has ended; by default none is."""
        del reader
        return False

    def _objective(self) -> str:
        """Name of the objective, where rows of several data sets may have it."""
        return ""

    def _format(self) -> MetricFormat | None:
        """The format of all files; by default that of each one's name."""
        return None

    def _add(self, paths: list[Path]) -> None:
        for path in paths:
            if not path.is_symlink():
                relative = str(path.relative_to(self.directory))
                self._files[path] = MetricFileReader(self.directory, relative, self._format(), self._objective())
