"""Read metrics from a file of JSON, JSON lines or CSV that a trainer writes, rewrites or appends to.

Of JSON four forms are read: one object of metrics (nested names are joined with ``/``), a list of such objects with
their epochs, an object of lists with one number per epoch, and the ``log_history`` of Transformers. A line of JSON and
a row of CSV, with commas or semicolons, are one such object; a column without a value in a row says nothing. A row
whose ``split`` (``phase``, ``stage``, ``set``, ...) is ``train`` has ``train_loss`` where it says ``loss``. A last line
without an end may be half a line, and waits. Lines are read once each, whatever the length of their file.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from automl.readers.filtered_loss import hidden_losses
from automl.readers.growing_file import GrowingFile
from automl.readers.metric_format import MetricFormat
from automl.readers.splits import COLUMNS
from automl.readers.status_file import loaded, measurement_of, number_of
from automl.storage.trainer_files import files_below, read_made

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.study.trial import Measurement

_DELIMITERS = ",;"
_BY_LINE = {".csv", ".jsonl", ".ndjson"}
_UNSEEN = (-1, -1)
STATE_FILE = "trainer_state.json"
"""Of Transformers' Trainer, in each of its checkpoints."""
_BOM = "\ufeff"
"""What some editors and spreadsheets put before the first line."""
_NOT_METRICS = frozenset({"epoch", "step", "best_epoch"})


def read_metrics(text: str) -> list[Measurement]:
    """Read the text of a metric file; nothing where it is neither JSON nor CSV, or holds no number."""
    return list(_measurements(_entries(text)))


class MetricDocument(MetricFormat):
    """A file of JSON, written anew."""

    patterns: ClassVar[tuple[str, ...]] = ("*.json",)

    def read(self, text: str) -> list[Measurement]:
        """See `read_metrics`."""
        return read_metrics(text)


class MetricTable(MetricDocument):
    """CSV or lines of JSON, appended to."""

    patterns = tuple(f"*{suffix}" for suffix in sorted(_BY_LINE))
    is_by_line = True


DOCUMENT, TABLE = MetricDocument(), MetricTable()


@dataclass(slots=True)
class _Table:
    """The lines of one file of CSV or JSON, each read once while the file grows; read anew where it is replaced."""

    file: GrowingFile
    header: str = ""
    begun: int = 0

    def read(self, *, is_over: bool) -> list[Measurement]:
        lines = list(self.file.finish()) if is_over else self.file.read()
        if self.begun != self.file.begun:
            self.begun, self.header = self.file.begun, ""
        if not self.header and lines:
            self.header, lines = _headed(lines)
        return list(_measurements(_rows_of(self.header, lines)))


@dataclass(slots=True)
class MetricFileReader:
    """Reads a metric file whenever it has changed and is complete.

    Attributes:
        directory: The trial directory.
        name: The file, relative to the directory; it need not exist yet. It may be a pattern with ``*``, of which the
            newest file counts. Once the writer has ended, a file of that name in a folder below counts too.
        format: How it is read; None for the formats above.
    """

    directory: Path
    name: str
    format: MetricFormat | None = None
    _seen: tuple[int, int] = _UNSEEN
    _table: _Table | None = None
    _counted: Counter[Hashable] = field(default_factory=Counter)
    """How often each measurement stands in what was read of the file as it is."""
    _returned: Counter[Hashable] = field(default_factory=Counter)

    @property
    def has_files(self) -> bool:
        """Whether the file is there and has metrics."""
        return bool(self._returned)

    def read(self) -> list[Measurement]:
        """Return what is new in the file."""
        return self._read(self._path(), is_over=False)

    def finish(self) -> list[Measurement]:
        """Return what is new in the file; call it when the writer has ended."""
        direct = self._path()
        below = [] if direct.is_file() else sorted(files_below(self.directory, direct.name))
        self._seen = _UNSEEN  # what was half a line is whole now
        return self._read(below[0] if below else direct, is_over=True)

    def _path(self) -> Path:
        if "*" not in self.name:
            return self.directory / self.name
        found = [path for path in self.directory.glob(self.name) if path.is_file() and not path.is_symlink()]
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=self.directory / self.name)

    def _read(self, path: Path, *, is_over: bool) -> list[Measurement]:
        form = self.format or (TABLE if path.suffix.lower() in _BY_LINE else DOCUMENT)
        if isinstance(form, MetricTable):
            return self._read_table(path, is_over=is_over)
        try:
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) == self._seen:
                return []
            text = read_made(self.directory, path).decode("utf-8", errors="replace")
        except OSError:
            return []
        self._seen = (status.st_size, status.st_mtime_ns)
        self._counted.clear()
        return self._fresh(form.read(text[: text.rfind("\n") + 1] if form.is_by_line and not is_over else text))

    def _read_table(self, path: Path, *, is_over: bool) -> list[Measurement]:
        if self._table is None or self._table.file.path != path:
            self._table = _Table(GrowingFile(path, self.directory))
        table, begun = self._table, self._table.begun
        found = table.read(is_over=is_over)
        if table.begun != begun:
            self._counted.clear()
        return self._fresh(found)

    def _fresh(self, found: Iterable[Measurement]) -> list[Measurement]:
        """Return what stands in the file more often than it was returned; equal rows without an epoch are several."""
        fresh = []
        for measurement in found:
            key = _key(measurement)
            self._counted[key] += 1
            if self._counted[key] > self._returned[key]:
                self._returned[key] += 1
                fresh.append(measurement)
        return fresh


def _key(measurement: Measurement) -> Hashable:
    values, lost = frozenset(measurement.values.items()), frozenset(measurement.nonfinite.items())
    return measurement.epoch, measurement.step, values, lost, measurement.notice


def _measurements(entries: Iterable[JsonValue]) -> Iterator[Measurement]:
    found = (_measured(epoch, row) for entry in entries if isinstance(entry, dict) for epoch, row in _rows(entry))
    return (measurement for measurement in found if measurement.values or measurement.nonfinite)


def _entries(text: str) -> list[JsonValue]:
    document = loaded(text)
    history = document.get("log_history") if isinstance(document, dict) else None
    if isinstance(history, list):
        return [_with_whole_epoch(entry) for entry in history]
    if document is not None:
        return document if isinstance(document, list) else [document]
    lines = [line for line in text.splitlines() if line.strip()]
    return _rows_of(*_headed(lines)) if lines else []


def _is_json(line: str) -> bool:
    return line.lstrip().startswith(("{", "["))


def _headed(lines: list[str]) -> tuple[str, list[str]]:
    """Return the first line and the lines with a row: of JSON the first one too."""
    return lines[0], lines if _is_json(lines[0]) else lines[1:]


def _rows_of(header: str, lines: list[str]) -> list[JsonValue]:
    """Return the objects of lines of JSON, or of CSV with its first line."""
    if _is_json(header):
        return [loaded(line) for line in lines]
    delimiter = max(_DELIMITERS, key=header.count)
    rows = csv.DictReader([header.lstrip(_BOM), *lines], skipinitialspace=True, restkey="", delimiter=delimiter)
    return [{_column(name): value for name, value in row.items() if name and value} for row in rows]


def _column(name: str) -> str:
    return small if (small := name.strip().lower()) in {*_NOT_METRICS, *COLUMNS} else name.strip()


def epoch_of_state(folder: Path) -> int | None:
    """Return the zero-based epoch of a checkpoint of Transformers; None where it has no `STATE_FILE`."""
    try:
        state = loaded(read_made(folder, folder / STATE_FILE).decode("utf-8", errors="replace"))
    except OSError:
        return None
    placed = _with_whole_epoch(state)
    epoch = placed.get("epoch") if isinstance(placed, dict) else None
    return epoch if isinstance(epoch, int) else None


def _with_whole_epoch(entry: JsonValue) -> JsonValue:
    """Return an entry of Transformers' `STATE_FILE`, which says how many epochs are done, with its epoch."""
    done = number_of(entry.get("epoch")) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(done, float):
        return entry
    hidden = hidden_losses({name: number_of(value) for name, value in entry.items()})
    return {**entry, **hidden, "epoch": max(math.ceil(done) - 1, 0)}


def _rows(entry: dict[str, JsonValue]) -> Iterator[tuple[JsonValue, dict[str, JsonValue]]]:
    histories = {name: value for name, value in entry.items() if isinstance(value, list) and value}
    metrics = {name: value for name, value in entry.items() if name not in histories}
    yield metrics.get("epoch"), metrics
    for number in range(max(map(len, histories.values()), default=0)):
        row = {name: history[number] for name, history in histories.items() if number < len(history)}
        yield row.get("epoch", number), row


def _measured(epoch: JsonValue, row: dict[str, JsonValue]) -> Measurement:
    metrics = {name: value for name, value in row.items() if name not in _NOT_METRICS}
    if any(str(row.get(key)).lower().startswith("train") for key in COLUMNS):
        # Of one name in two rows the one in training is another metric.
        metrics = {f"train_{name.removeprefix('train_')}": value for name, value in metrics.items()}
    return measurement_of({"epoch": epoch, "step": row.get("step"), "kpi": metrics})
