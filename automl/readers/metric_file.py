"""Read metrics from a file of JSON, JSON lines or CSV that a trainer writes, rewrites or appends to.

Of JSON these forms are read: one object of metrics (nested names are joined with ``/``), a list of such objects with
their epochs, an object with one for each epoch, an object of lists with one number per epoch, each of them also under
``history`` and the like, and the ``log_history`` of Transformers. A line of JSON and a row of CSV, with commas,
semicolons or tabs, are one such object; a column without a value in a row says nothing. A row whose ``split``
(``phase``, ``stage``, ``set``, ...) is ``train`` has ``train_loss`` where it says ``loss``. A last line without an end
may be half a line, and waits. Lines are read once each, whatever the length of their file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from automl.readers.epochs import WholeOrDone
from automl.readers.growing_file import GrowingFile
from automl.readers.label_choice import RowChoice
from automl.readers.metric_format import MetricFormat
from automl.readers.metric_rows import Row, Table, is_json, rows_of, rows_of_text
from automl.readers.names import find_name
from automl.readers.notices import Notices
from automl.readers.status_file import loaded, number_of, say_doubled
from automl.storage.trainer_files import files_below, read_made
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from pathlib import Path

_BY_LINE = {".csv", ".tsv", ".jsonl", ".ndjson"}
_UNSEEN = (-1, -1)
_SHOWN = 60
"""Characters of a file that are shown where nothing is read of it."""
STATE_FILE = "trainer_state.json"
"""Of Transformers' Trainer, in each of its checkpoints."""
RESULT_FILES = frozenset({"eval_results.json", "all_results.json"})
"""Of Transformers' Trainer, at the end; they say how many epochs are done."""


def read_metrics(text: str) -> list[Measurement]:
    """Read the text of a metric file; nothing where it is neither JSON nor CSV, or holds no number."""
    return [row.measurement for row in rows_of_text(text, WholeOrDone())]


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
class MetricFileReader:
    """Reads a metric file whenever it has changed and is complete.

    Attributes:
        directory: The trial directory.
        name: The file, relative to the directory; it need not exist yet. It may be a pattern with ``*``, of which the
            newest file counts. Once the writer has ended, a file of that name in a folder below counts too.
        format: How it is read; None for the formats above.
        objective: Name of the objective, where rows of several data sets may have it.
        first_epoch: Number of the trainer's first epoch.
        is_expected: The study names the file: it is said where nothing can be read of it.
    """

    directory: Path
    name: str
    format: MetricFormat | None = None
    objective: str = ""
    first_epoch: int = 0
    is_expected: bool = False
    _choice: RowChoice = field(init=False)
    _notices: Notices = field(init=False)
    _seen: tuple[int, int] = _UNSEEN
    _file: GrowingFile | None = None
    _table: Table = field(default_factory=Table)
    _numbers: WholeOrDone = field(default_factory=WholeOrDone)
    _counted: Counter[Hashable] = field(default_factory=Counter)
    """How often each measurement stands in what was read of the file as it is."""
    _returned: Counter[Hashable] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._notices = Notices(self.objective)
        self._choice = RowChoice(self.name, self._notices)

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
        path = below[0] if below else direct
        found = self._read(path, is_over=True)
        return found if self._returned or not self.is_expected else [*found, *self._unread(path)]

    def _unread(self, path: Path) -> list[Measurement]:
        """Return a notice of a file without a number that could be read."""
        try:
            text = read_made(self.directory, path).decode("utf-8", errors="replace").strip()
        except OSError:
            return []
        notice = (
            f"nothing was read of {path.relative_to(self.directory)}, which begins with {text[:_SHOWN]!r}: expected "
            "are JSON, lines of JSON, or CSV with a first line of names"
        )
        return [Measurement(notice=notice)] if text else []

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
        if form is DOCUMENT:
            numbers, doubled = WholeOrDone(self.first_epoch, is_done=path.name in RESULT_FILES), set[str]()
            rows = rows_of_text(text, numbers, doubled)
            say_doubled(self._notices, doubled, self.name)
            return self._fresh(rows)
        whole = text[: text.rfind("\n") + 1] if form.is_by_line and not is_over else text
        return self._fresh(map(Row, form.read(whole)))

    def _read_table(self, path: Path, *, is_over: bool) -> list[Measurement]:
        if self._file is None or self._file.path != path:
            self._file = GrowingFile(path, self.directory)
            self._numbers = WholeOrDone(self.first_epoch, notices=self._notices, where=self.name)
        begun, lines = self._file.begun, list(self._file.finish()) if is_over else self._file.read()
        if self._file.begun != begun:
            self._table = Table()
            self._counted.clear()
        found = rows_of(self._table.entries(lines), self._numbers)
        self._notices.say_all(self._file.losses)
        if is_json(self._table.header):
            say_doubled(self._notices, self._table.doubled, self.name)
        elif (name := find_name(self._table.doubled, self.objective)) is not None:
            self._notices.say("columns", f"{name} is the name of several columns of {self.name}: none of them was read")
        return self._fresh(found)

    def _fresh(self, found: Iterable[Row]) -> list[Measurement]:
        """Return what stands in the file more often than it was returned; equal rows without an epoch are several."""
        fresh = []
        for row in found:
            key = _key(row)
            self._counted[key] += 1
            if self._counted[key] > self._returned[key]:
                self._returned[key] += 1
                fresh.append(row)
        return [*self._choice.chosen(fresh), *self._notices.take()]


def _key(row: Row) -> Hashable:
    measurement = row.measurement
    values, lost = frozenset(measurement.values.items()), frozenset(measurement.nonfinite.items())
    return row.label, measurement.epoch, measurement.step, values, lost, measurement.notice


def epoch_of_state(folder: Path) -> int | None:
    """Return the zero-based epoch of a checkpoint of Transformers; None where it has no `STATE_FILE`."""
    try:
        state = loaded(read_made(folder, folder / STATE_FILE).decode("utf-8", errors="replace"))
    except OSError:
        return None
    done = number_of(state.get("epoch")) if isinstance(state, dict) else None
    return WholeOrDone(is_done=True).of(done) if isinstance(done, float) else None
