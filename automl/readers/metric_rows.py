"""The forms of a metric file, JSON, JSON lines and CSV, as rows: the numbers of a report, its epoch, and its data."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from automl.readers.filtered_loss import hidden_losses
from automl.readers.splits import COLUMNS, WORDS
from automl.readers.status_file import loaded, measurement_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from automl.readers.epochs import WholeOrDone
    from automl.skill.model import JsonValue
    from automl.study.trial import Measurement

_DELIMITERS = ",;\t"
_BOM = "\ufeff"
"""What some editors and spreadsheets put before the first line."""
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
"""A first line for spreadsheets."""
_NOT_METRICS = frozenset({"epoch", "step", "best_epoch"})
_LABELS = (
    "dataset",
    "data_set",
    "dataset_name",
    "data",
    "domain",
    "task",
    "source",
    "model",
    "scene",
    "group",
    "class_name",
)
_NUMBERED = ("fold", "class", "category", "head")
"""Names of columns that tell rows of one epoch apart, beside those that name a split; of these by a number, too."""
_NAMES, _VALUE = ("metric", "name", "tag", "key"), "value"
"""Columns of a table with a row for each metric."""
_EPOCH_KEY = re.compile(r"(?:epoch[\s_-]?)?(\d{1,6})", re.IGNORECASE)
_HOLDERS = ("history", "hist", "metrics", "log", "logs", "results", "epochs")
_PERCENT = re.compile(r"\s*([-+]?[\d.]{1,20})\s?%\s*")
_DECIMAL_COMMA = re.compile(r"\s*([-+]?\d{1,18}),(\d{1,18})\s*")
_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*")


@dataclass(frozen=True, slots=True)
class Row:
    """One report.

    Attributes:
        measurement: What it says.
        label: Of which data, fold or class it is; empty where nothing says it.
        epoch: Its epoch as it is written.
    """

    measurement: Measurement
    label: str = ""
    epoch: JsonValue = None


def rows_of_text(text: str, numbers: WholeOrDone, doubled: set[str] | None = None) -> list[Row]:
    """Read the text of a metric file; nothing where it is neither JSON nor CSV, or holds no number."""
    document = loaded(text, doubled)
    if document is not None:
        numbers.is_done |= isinstance(document, dict) and isinstance(document.get("log_history"), list)
        return rows_of(_entries(document), numbers)
    return rows_of(Table().entries([line for line in text.splitlines() if line.strip()]), numbers)


def rows_of(entries: Iterable[JsonValue], numbers: WholeOrDone) -> list[Row]:
    """Return the reports of objects that have a number."""
    rows = [each for entry in entries if isinstance(entry, dict) for each in _by_epoch(entry, numbers.first)]
    for epoch, _ in rows:
        if isinstance(number := number_of(epoch), float):
            numbers.note(number)
    found = (_row(epoch, row, numbers) for epoch, row in rows)
    return [row for row in found if row.measurement.values or row.measurement.nonfinite]


def _headed(lines: list[str]) -> tuple[str, list[str]]:
    """Return the line with the names of columns, and the lines with rows: of JSON the first one too.

    There is none, and every line is still to be read, while there are only comments.
    """
    for number, line in enumerate(lines):
        plain = line.lstrip(_BOM)
        if is_json(line):
            return line, lines[number:]
        if plain.startswith("#") or _SEPARATOR.fullmatch(plain):
            continue
        before = lines[number - 1].lstrip(_BOM) if number else ""
        if before.startswith("#") and _has_numbers_alone(line):
            return before.lstrip("# "), lines[number:]
        return (f"{before}\n{line}" if _SEPARATOR.fullmatch(before) else line), lines[number + 1 :]
    return "", lines


def is_json(line: str) -> bool:
    """Whether a line is one of JSON, not of CSV."""
    return line.lstrip().startswith(("{", "["))


def _has_numbers_alone(line: str) -> bool:
    cells = re.split(f"[{_DELIMITERS}]", line)
    return all(number_of(cell.strip()) is not None for cell in cells)


@dataclass(slots=True)
class Table:
    """The rows of one table, or of lines of JSON, as they are given.

    Attributes:
        header: The line with the names of columns; of JSON the first line. A line ``sep=;`` may stand before it. It is
            empty until it has come.
        doubled: Names of several columns, or with several values in one object: none of them is read.
    """

    header: str = ""
    doubled: set[str] = field(default_factory=set)
    _comments: list[str] = field(default_factory=list)

    def entries(self, lines: list[str]) -> list[JsonValue]:
        """Return the objects of the next lines; a line with the names of columns begins other columns."""
        if not self.header:
            self.header, lines = _headed([*self._comments, *lines])
            self._comments, lines = ([], lines) if self.header else (lines, [])
        if is_json(self.header):
            return [loaded(line, self.doubled) for line in lines]
        found: list[JsonValue] = []
        start = 0
        for number, line in enumerate(lines):
            if not line[0].isdigit() and self._is_header(line):
                found += self._rows(lines[start:number])
                self.header, start = line, number + 1
        return found + self._rows(lines[start:])

    @property
    def _delimiter(self) -> str:
        first, _, names = self.header.rpartition("\n")
        given = _SEPARATOR.fullmatch(first)
        return given[1] if given is not None else max(_DELIMITERS, key=names.count)

    def _names(self, line: str) -> list[str]:
        return [cell.strip(' "').lower() for cell in line.rpartition("\n")[2].lstrip(_BOM).split(self._delimiter)]

    def _is_header(self, line: str) -> bool:
        cells = self._names(line)
        is_named = not any(number_of(cell) is not None for cell in cells if cell)
        return is_named and bool({*cells} & {*self._names(self.header)} - {""})

    def _rows(self, lines: list[str]) -> list[JsonValue]:
        if not lines:
            return []
        header, delimiter = self.header.rpartition("\n")[2].lstrip(_BOM), self._delimiter
        names = next(csv.reader([header], skipinitialspace=True, delimiter=delimiter), [])
        if len({*names}) < len(names):
            again = {name for name in names if name and names.count(name) > 1}
            self.doubled |= {name.strip() for name in again}
            header = delimiter.join("" if name in again else '"{}"'.format(name.replace('"', '""')) for name in names)
        rows = csv.DictReader([header, *lines], skipinitialspace=True, restkey="", delimiter=delimiter)
        has_comma = delimiter != ","
        return [
            {_column(name): _cell(value, has_comma=has_comma) for name, value in row.items() if name and value}
            for row in rows
        ]


def _column(name: str) -> str:
    small = name.strip().lower()
    return small if small in {*_NOT_METRICS, *COLUMNS, *_LABELS, *_NAMES, _VALUE} else name.strip()


def _cell(text: str, *, has_comma: bool) -> str:
    """Return a cell with its number as JSON has it: without a sign of percent, and with a decimal point."""
    if (share := _PERCENT.fullmatch(text)) is not None:
        return share[1]
    if has_comma and (parts := _DECIMAL_COMMA.fullmatch(text)) is not None and not _THOUSANDS.fullmatch(text):
        return f"{parts[1]}.{parts[2]}"
    return text


def _entries(document: JsonValue) -> list[JsonValue]:
    """Return the objects of a document, each with the numbers of one report, or with lists of them."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return []
    history = document.get("log_history")
    if isinstance(history, list):
        return [_with_hidden_losses(entry) for entry in history]
    numbered = [(_EPOCH_KEY.fullmatch(key), value) for key, value in document.items()]
    epochs = [{"epoch": int(key[1]), **value} for key, value in numbered if key is not None and isinstance(value, dict)]
    if epochs and len(epochs) == len(document):
        return [*epochs]
    lists = {key: value for key, value in document.items() if key in {*_HOLDERS, *WORDS} and _is_list_of_objects(value)}
    inner = {key: value for key, value in document.items() if key in _HOLDERS and _is_history(value)}
    rest = {key: value for key, value in document.items() if key not in {*lists, *inner}}
    found: list[JsonValue] = [
        entry if key in _HOLDERS else {"split": key, **entry} for key, entries in lists.items() for entry in entries
    ]
    return [*found, *(entry for value in inner.values() for entry in _entries(value)), *([rest] if rest else [])]


def _is_list_of_objects(value: JsonValue) -> TypeGuard[list[dict[str, JsonValue]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _is_history(value: JsonValue) -> bool:
    """Whether an object has lists of numbers, or an object for each epoch."""
    return isinstance(value, dict) and (
        any(isinstance(each, list) for each in value.values()) or all(isinstance(each, dict) for each in value.values())
    )


def _with_hidden_losses(entry: JsonValue) -> JsonValue:
    """Return an entry of Transformers' ``log_history`` with the losses that it hides."""
    if not isinstance(entry, dict):
        return entry
    return {**entry, **hidden_losses({name: number_of(value) for name, value in entry.items()})}


def _by_epoch(entry: dict[str, JsonValue], first: int) -> Iterator[tuple[JsonValue, dict[str, JsonValue]]]:
    is_one_epoch = isinstance(number_of(entry.get("epoch")), float)  # its lists have no number for each epoch
    lists = {name: value for name, value in _flat(entry).items() if isinstance(value, list) and not is_one_epoch}
    metrics = {name: value for name, value in entry.items() if name not in lists}
    yield metrics.get("epoch"), metrics
    for number in range(max(map(len, lists.values()), default=0)):
        row = {name: history[number] for name, history in lists.items() if number < len(history)}
        yield row.get("epoch", number + first), row


def _flat(entry: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return an object with the lists of objects inside it under joined names."""
    inner = [(name, value) for name, value in entry.items() if isinstance(value, dict)]
    return entry | {f"{name}/{key}": value for name, values in inner for key, value in values.items()}


def _row(epoch: JsonValue, row: dict[str, JsonValue], numbers: WholeOrDone) -> Row:
    plain = {name: _cell(value, has_comma=False) if isinstance(value, str) else value for name, value in row.items()}
    metrics = {name: value for name, value in plain.items() if name not in _NOT_METRICS}
    split = next((str(row[key]).strip().lower() for key in COLUMNS if isinstance(row.get(key), str)), "")
    labels = [label for key in (*_LABELS, *_NUMBERED) if (label := _label(key, row.get(key)))]
    metrics = {name: value for name, value in metrics.items() if name not in _NUMBERED}
    named = [name for key in _NAMES if isinstance(name := row.get(key), str) and _VALUE in row]
    metrics = {named[0]: row[_VALUE]} if named else metrics
    if split.startswith("train"):
        # Of one name in two rows the one in training is another metric.
        metrics = {f"train_{name.removeprefix('train_')}": value for name, value in metrics.items()}
    elif split:
        labels.append(split)
    measurement = measurement_of({"epoch": epoch, "step": row.get("step"), "kpi": metrics}, numbers)
    return Row(measurement, "/".join(labels), epoch)


def _label(column: str, value: JsonValue) -> str:
    number = number_of(value)
    if isinstance(number, float):
        return f"{column}{number:g}" if column in _NUMBERED and number.is_integer() else ""
    return value.strip().lower() if isinstance(value, str) else ""
