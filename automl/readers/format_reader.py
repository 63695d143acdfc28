"""Read every file below a trial whose name is of one format, that of a plug-in, while it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from automl.readers.searched_files import SearchedFiles
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from automl.readers.metric_file import MetricFileReader
    from automl.readers.metric_format import MetricFormat


@dataclass(slots=True)
class FormatReader(SearchedFiles):
    """Reads the files of one format; what the format raises is a notice, once, and ends the file.

    Attributes:
        format: The format.
    """

    format: MetricFormat
    _failed: set[Path] = field(default_factory=set, init=False)

    def _is_named(self, name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in self.format.patterns)

    def _format(self) -> MetricFormat:
        return self.format

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
