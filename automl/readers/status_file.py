"""Read status files: JSON lines in which a trainer reports its progress and its metrics.

Accepted from writers: bare ``NaN`` and ``Infinity``, numbers as text, ``null`` with the names of values that were not
finite, half-written and spliced lines. Lines that cannot be a measurement are skipped. A boolean is never a metric. Of
a surrogate pair one half, which no file and no terminal takes, is kept as its escape; a metric without a name is left
out, and the measurement says so.
"""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from automl import clock
from automl.readers.epochs import HOLD_S, EpochBook, WholeOrDone
from automl.readers.folder_search import FolderSearch, SearchedFiles
from automl.readers.growing_file import GrowingFile
from automl.readers.notices import Notices
from automl.storage.paths import STATUS_FILE
from automl.study.finite import is_finite
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from automl.skill.model import JsonValue

T = TypeVar("T")

_EPOCH_KEYS = ("epoch", "cur_epoch", "current_epoch")
_STEP_KEYS = ("step", "global_step", "iteration", "iter")
_STATUS_KEYS = frozenset({"status", "kpi", "epoch", "date", "message"})
# Keys of a status line that are no metrics, for lines without `kpi`.
_NOT_METRICS = frozenset(
    {*_EPOCH_KEYS, *_STEP_KEYS, "max_epoch", "max_epochs", "max_step", "num_epochs", "time_per_epoch", "time_per_step"}
    | {"time_per_iter", "eta", "cur_iter", "max_iter", "date", "time", "timestamp", "status", "verbosity", "message"}
    | {"categorical", "graphical", "kpi", "kpi_nonfinite", "code", "pid", "rank", "seed"}
)
_LONGEST_MESSAGE = 4000
_SHOWN = 5
# Larger floats are no exact counts, and MLflow has no such steps.
_LARGEST_COUNT = 2**53
_NAMELESS = "a metric without a name was left out"
_SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)


def parse_line(text: str, numbers: WholeOrDone | None = None, doubled: set[str] | None = None) -> Measurement | None:
    """Read one line of a status file; None where it is not a JSON object. For ``doubled`` see `loaded`."""
    document = _decoded(text, doubled)
    return None if document is None else measurement_of(document, numbers)


def measurement_of(document: dict[str, JsonValue], numbers: WholeOrDone | None = None) -> Measurement:
    """Return what a line of a status file reports, with an epoch only where the line names one."""
    number = _first_count(document, _EPOCH_KEYS)
    epoch = None if number is None else (numbers or WholeOrDone()).of(number)
    step = next((count for key in _STEP_KEYS if (count := _integer(document.get(key))) is not None), None)
    max_epoch = _integer(document.get("max_epoch"))
    message, code = document.get("message"), document.get("code")
    is_failure = str(document.get("status", "")).upper() == "FAILURE"
    return replace(
        measured(_metrics(document), epoch, step),
        max_epochs=max_epoch + 1 if max_epoch is not None else _integer(document.get("max_epochs")),
        message=message[:_LONGEST_MESSAGE] if isinstance(message, str) else "",
        is_failure=is_failure,
        failure_code=code if is_failure and isinstance(code, str) else "",
    )


def number_of(value: JsonValue) -> float | str | None:
    """Return a finite number, ``nan``/``inf``/``-inf`` for one that is not finite, or None if it is no number.

    One that is too large to compute with counts as infinite. Numbers written as text count; booleans do not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    except OverflowError:
        return "inf" if isinstance(value, int) and value > 0 else "-inf"
    return number if is_finite(number) else str(number * math.inf)


def measured(numbers: Mapping[str, float | str | None], epoch: int | None, step: int | None = None) -> Measurement:
    """Return what numbers as `number_of` has them report; those without a name are left out, which is said."""
    named = with_names(numbers)
    is_left_out = len(named) < len(numbers) and any(numbers[name] is not None for name in numbers.keys() - named)
    return Measurement(
        epoch=epoch,
        step=step,
        values={name: number for name, number in named.items() if isinstance(number, float)},
        nonfinite={name: number for name, number in named.items() if isinstance(number, str)},
        notice=_NAMELESS if is_left_out else "",
        unix_time_s=clock.unix_time_s(),
    )


def with_names(metrics: Mapping[str, T]) -> dict[str, T]:
    """Return metrics without those that have no name."""
    return {name: value for name, value in metrics.items() if name.strip()}


@dataclass(slots=True)
class StatusReader(SearchedFiles[tuple[GrowingFile, EpochBook]]):
    """Reads every status file below a trial's directory while it grows; it may lie up to five folders below.

    Attributes:
        first_epoch: Number of the trainer's first epoch.
        is_own: Only the file in the directory itself is read, which `automl.report` writes.
    """

    first_epoch: int = 0
    is_own: bool = False
    _notices: Notices = field(default_factory=Notices)

    def __post_init__(self) -> None:
        pattern = STATUS_FILE if self.is_own else None
        self._search = FolderSearch(self.directory, self._is_named, pattern=pattern, is_impatient=True, has_links=True)

    @property
    def has_files(self) -> bool:
        """Whether a status file was found, and is one."""
        return any(file.is_begun for file, _ in self._files.values())

    def _is_named(self, name: str) -> bool:
        return name == STATUS_FILE

    def _reader(self, path: Path) -> tuple[GrowingFile, EpochBook]:
        numbers = WholeOrDone(self.first_epoch, notices=self._notices, where=STATUS_FILE)
        return GrowingFile(path, self.directory), EpochBook(numbers=numbers)

    def _read(self, _: Path, reader: tuple[GrowingFile, EpochBook], *, is_over: bool) -> Iterator[Measurement]:
        (file, book), now_s, doubled = reader, time.monotonic(), set[str]()
        for text in file.finish() if is_over else file.read():
            if (line := parse_line(text, book.numbers, doubled)) is not None:
                yield from book.add(line, now_s)
        yield from book.release(held_before_s=None if is_over else now_s - HOLD_S)
        self._notices.say_all(file.losses)
        say_doubled(self._notices, doubled, STATUS_FILE)
        yield from self._notices.take()


def _decoded(text: str, doubled: set[str] | None) -> dict[str, JsonValue] | None:
    document = loaded(text, doubled)
    if isinstance(document, dict):
        return document
    # A killed writer leaves half a line, and its successor appends to it: the second object is complete.
    for start in [match.start() for match in re.finditer(r'\{"', text)][1:20]:
        document = loaded(text[start:], doubled)
        if isinstance(document, dict) and _STATUS_KEYS & document.keys():
            return document
    return None


def loaded(text: str, doubled: set[str] | None = None) -> JsonValue:
    """Return the value of a JSON text; None where it is none.

    A name with several values in one object is left out of it, and added to ``doubled``; an object with several epochs
    is empty.
    """

    def object_of(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        again = {name for name, value in pairs if value != found[name]}
        (doubled if doubled is not None else set()).update(again)
        return {} if again & {*_EPOCH_KEYS} else {name: found[name] for name in found if name not in again}

    try:
        document: JsonValue = json.loads(text, object_pairs_hook=object_of)
        return _encodable(document) if _SURROGATE.search(text) else document
    except (ValueError, RecursionError):
        return None


def say_doubled(notices: Notices, names: set[str], where: str) -> None:
    """Say that names had several values in one object, see `loaded`."""
    if names:
        shown = ", ".join(sorted(names)[:_SHOWN])
        notices.say("doubled", f"an object in {where} has several values of {shown}, none of which was read; write one")


def _encodable(value: JsonValue) -> JsonValue:
    """Return a JSON value with an escape for each half of a surrogate pair in its texts."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {str(_encodable(name)): _encodable(item) for name, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
        case _:
            return value


def _metrics(document: dict[str, JsonValue]) -> dict[str, float | str | None]:
    numbers = {name: number_of(value) for name, value in _candidates(document)}
    match document.get("kpi_nonfinite"):
        case list(names):
            words = {name: text for name, text in numbers.items() if isinstance(text, str)}
            return numbers | {str(name): words.get(str(name), "nan") for name in names}
        case dict(words):
            return numbers | {name: str(word) for name, word in words.items()}
        case _:
            return numbers


def _candidates(document: dict[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    kpi = document.get("kpi")
    if isinstance(kpi, dict):
        yield from _flattened(kpi)
    elif "kpi" not in document:
        # Outside `kpi`, text that looks like a number is more often an identifier.
        plain = ((name, value) for name, value in document.items() if name not in _NOT_METRICS)
        yield from ((name, value) for name, value in plain if not isinstance(value, str))


def _flattened(metrics: dict[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


def _first_count(document: dict[str, JsonValue], keys: tuple[str, ...]) -> float | None:
    """Return the first whole number, else the first one."""
    counts = [number for key in keys if (number := _count(document.get(key))) is not None]
    return next((number for number in counts if number.is_integer()), counts[0] if counts else None)


def _integer(value: JsonValue) -> int | None:
    number = _count(value)
    return int(number) if number is not None and number.is_integer() else None


def _count(value: JsonValue) -> float | None:
    number = number_of(value)
    return number if isinstance(number, float) and 0 <= number < _LARGEST_COUNT else None
