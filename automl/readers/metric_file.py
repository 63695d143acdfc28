"""Read metrics from a JSON file that a trainer writes at its end or rewrites from time to time.

Three forms are read: one object of metrics (nested names are joined with ``/``), a list of such objects with their
epochs, and an object of lists with one number per epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.status_file import loaded, measurement_of
from automl.storage.trainer_files import read_made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.study.trial import Measurement

_NOT_METRICS = frozenset({"epoch", "step", "best_epoch"})


def read_metrics(text: str) -> list[Measurement]:
    """Read the text of a metric file; nothing where it is not JSON or holds no number."""
    document = loaded(text)
    entries = document if isinstance(document, list) else [document]
    found = [_measured(epoch, row) for entry in entries if isinstance(entry, dict) for epoch, row in _rows(entry)]
    return [measurement for measurement in found if measurement.values or measurement.nonfinite]


@dataclass(slots=True)
class MetricFileReader:
    """Reads a metric file whenever it has changed and is complete.

    Attributes:
        directory: The trial directory.
        name: The file, relative to the directory; it need not exist yet. Once the writer has ended, a file of that
            name in a folder below counts too.
    """

    directory: Path
    name: str
    _seen: tuple[int, int] = field(default=(-1, -1))
    _returned: list[Measurement] = field(default_factory=list)

    def read(self) -> list[Measurement]:
        """Return what is new in the file."""
        return self._read(self.directory / self.name)

    def finish(self) -> list[Measurement]:
        """Return what is new in the file; call it when the writer has ended."""
        direct = self.directory / self.name
        below = [] if direct.is_file() else sorted(self.directory.rglob(direct.name))
        return self._read(below[0] if below else direct)

    def _read(self, path: Path) -> list[Measurement]:
        try:
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) == self._seen:
                return []
            found = read_metrics(read_made(self.directory, path).decode("utf-8", errors="replace"))
        except OSError:
            return []
        self._seen = (status.st_size, status.st_mtime_ns)
        fresh = [m for m in found if replace(m, unix_time_s=0.0) not in self._returned]
        self._returned += [replace(m, unix_time_s=0.0) for m in fresh]
        return fresh


def _rows(entry: dict[str, JsonValue]) -> Iterator[tuple[JsonValue, dict[str, JsonValue]]]:
    histories = {name: value for name, value in entry.items() if isinstance(value, list) and value}
    metrics = {name: value for name, value in entry.items() if name not in histories}
    yield metrics.get("epoch"), metrics
    for epoch in range(max(map(len, histories.values()), default=0)):
        yield epoch, {name: history[epoch] for name, history in histories.items() if epoch < len(history)}


def _measured(epoch: JsonValue, row: dict[str, JsonValue]) -> Measurement:
    metrics = {name: value for name, value in row.items() if name not in _NOT_METRICS}
    return measurement_of({"epoch": epoch, "kpi": metrics})
