"""Read every file below a trial whose name is of one format, that of a plug-in, while it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from automl.readers.folder_search import SearchedFiles
from automl.readers.metric_file import MetricFileReader
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from pathlib import Path

    from automl.readers.metric_format import MetricFormat


@dataclass(slots=True)
class FormatReader(SearchedFiles[MetricFileReader]):
    """Reads the files of one format; what the format raises is a notice, once, and ends the file.

    Attributes:
        format: The format.
    """

    format: MetricFormat
    _failed: set[Path] = field(default_factory=set, init=False)

    def _is_named(self, name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in self.format.patterns)

    def _reader(self, path: Path) -> MetricFileReader:
        return MetricFileReader(self.directory, str(path.relative_to(self.directory)), self.format)

    def _read(self, path: Path, reader: MetricFileReader, *, is_over: bool) -> list[Measurement]:
        if path in self._failed:
            return []
        try:
            return reader.finish() if is_over else reader.read()
        except Exception as error:  # noqa: BLE001 # a plug-in, on whatever a trainer has written
            self._failed.add(path)
            name, what = path.relative_to(self.directory), type(self.format).__name__
            return [Measurement(notice=f"{name} was not read by {what}: {type(error).__name__}: {error}")]
