"""`events.jsonl`: the one durable record of what happened in a study, one strict JSON line per event.

Every line has ``event``, ``time`` (UTC, ISO 8601), the fields of the event and ``check``, a CRC-32 of the rest; lines
of the version before have none. Everything else that shows a study's course (status, MLflow, TensorBoard, the Optuna
journal) is a projection of this file. Events that a decision rests on are flushed to the disk before `append` returns;
measurements are not, which a killed process survives and a power failure may not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import mmap
import os
import re
import threading
import zlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from automl import clock
from automl.regular_file import NotAFileError, open_own, open_regular
from automl.storage.documents import (
    CHECK,
    first_line,
    from_json,
    from_json_text,
    to_json,
    to_line,
    torn_file,
    without_check,
)
from automl.study.events import Event, ImprovementEstimated, Measured, TrialEnded, TrialStarted
from automl.study.trial import TrialResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from automl.errors import ConfigurationError

_CHECK_KEY = f', "{CHECK}": '.encode()
_MEASURED = re.compile(rb'\{"event": "measured", "time": "[^"]*", "trial": ([0-9]+), ')
_MEASURED_OR_STARTED = re.compile(rb'\{"event": "(?:measured|trial_started)", "time": "[^"]*", "trial": ([0-9]+), ')
_HEAD = re.compile(rb'\{"event": "([a-z_]+)", "time": "([-+:.0-9TZ]+)", ("trial")?')
_RESTORE = "restore it from a copy, or put the folder of its own trials back"
_CLASSES: dict[str, type[Any]] = {event.kind: event for event in get_args(Event)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log.

    Attributes:
        event: What happened.
        time: When it was written, UTC.
        end: Offset behind the line, in bytes: where a follower goes on.
    """

    event: Event
    time: datetime
    end: int


_Line: TypeAlias = tuple[int, bytes, int]
"""A line of the log: its number from 1, its text, and the offset behind it."""


class EventLog:
    """Appends events to the log of a study.

    Args:
        file: ``events.jsonl``; made by the first event. A line that a crash tore is cut off then.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._handle: int | None = None
        self._lock = threading.Lock()

    def append(self, event: Event) -> Entry:
        """Write one event; all but measurements are on the disk when this returns.

        Raises:
            OSError: it cannot be written, or is no longer where it was opened: the study was moved or deleted.
            ValueError: the event holds a number that is not finite.
        """
        return self.append_all([event])[0]

    def append_all(self, events: Sequence[Event]) -> list[Entry]:
        """Write events by one write: a process that is killed leaves all of them or none; raises as `append`."""
        time = clock.now()
        lines = [encode(event, time) for event in events]
        with self._lock:
            if self._handle is None:
                self._handle = _open(self._file)
            elif not _is_same(self._file, self._handle):
                raise FileNotFoundError(errno.ENOENT, "moved or deleted meanwhile", str(self._file))
            end = _write_whole(self._handle, b"".join(lines))
            if not all(isinstance(event, Measured) for event in events):
                os.fsync(self._handle)
        ends = accumulate(map(len, lines), initial=end - sum(map(len, lines)))
        next(ends)
        return [Entry(event, time, at) for event, at in zip(events, ends, strict=True)]

    def append_unlocked(self, event: Event) -> None:
        """Write an event though another one is being written, and do not wait for the disk: the process is to end."""
        if self._handle is not None:
            os.write(self._handle, encode(event, clock.now()))

    def close(self) -> None:
        """Close the file; a later event opens it again."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None


def read_log(file: Path, position: int = 0, *, is_strict: bool = False) -> Iterator[Entry]:
    """Yield the whole lines of a log from an offset on, oldest first; none if the file does not exist.

    A last line that is still being written, and events of kinds that this version does not know, are passed over.

    Args:
        file: ``events.jsonl``.
        position: Offset of the first line, such as `Entry.end`.
        is_strict: Refuse lines that cannot be read, instead of passing over them: for whoever acts on the log.

    Raises:
        ConfigurationError: a line cannot be read, or its check says that it was changed.
    """
    for line in _lines(file, position):
        if (entry := _entry_of(file, line, is_strict=is_strict)) is not None:
            yield entry


def read_settled(file: Path, *, is_strict: bool = True, with_starts: bool = True) -> Iterator[Entry]:
    """Yield what `read_log` does, but no measurements of trials that have ended since: their ends say more.

    A trial's measurements come together, before its next event. Of a long study they are nine lines in ten.

    Args:
        file: ``events.jsonl``.
        is_strict: As for `read_log`.
        with_starts: Yield how those trials were started, too: results do not need it.

    Raises:
        ConfigurationError: as `read_log`.
    """
    waiting: defaultdict[bytes, list[_Line]] = defaultdict(list)
    match = (_MEASURED if with_starts else _MEASURED_OR_STARTED).match
    for line in _lines(file, 0):
        text = line[1]
        held_back = match(text)
        if held_back is not None and _has_right_check(text):
            waiting[held_back[1]].append(line)
            continue
        entry = _entry_of(file, line, is_strict=is_strict)
        if entry is None:
            continue
        event = entry.event
        number = event.result.number if isinstance(event, TrialEnded) else getattr(event, "trial", None)
        of_trial = waiting.pop(b"%d" % number, None) if number is not None else None
        if of_trial is not None and not (isinstance(event, TrialEnded) and event.result.state.is_final):
            yield from _entries_of(file, of_trial, is_strict=is_strict)
        if number is None and not isinstance(event, ImprovementEstimated):  # which is written after every end
            for lines in waiting.values():
                yield from _entries_of(file, lines, is_strict=is_strict)
            waiting.clear()
        yield entry
    for lines in waiting.values():
        yield from _entries_of(file, lines, is_strict=is_strict)


def _entries_of(file: Path, lines: list[_Line], *, is_strict: bool) -> Iterator[Entry]:
    return (entry for line in lines if (entry := _entry_of(file, line, is_strict=is_strict)) is not None)


def _entry_of(file: Path, line: _Line, *, is_strict: bool) -> Entry | None:
    number, text, end = line
    try:
        found = decode(text, is_strict=is_strict)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        if is_strict and text.strip():
            raise damaged_log(file, f"line {number}: {first_line(error)}") from error
        return None
    return None if found is None else Entry(*found, end)


def _lines(file: Path, position: int) -> Iterator[_Line]:
    """Yield the whole lines of a file from an offset on; none if it does not exist."""
    try:
        stream = open_regular(file)
    except FileNotFoundError:
        return
    except NotAFileError as error:
        raise damaged_log(file, error.strerror) from error
    with stream:
        stream.seek(position)
        for number, text in enumerate(stream, start=1):
            if not text.endswith(b"\n"):
                return
            position += len(text)
            yield number, text, position


def _has_right_check(line: bytes) -> bool:
    content, _, check = line.rpartition(_CHECK_KEY)
    return check == b'"%08x"}\n' % zlib.crc32(b"}", zlib.crc32(content))


def damaged_log(file: Path, error: object) -> ConfigurationError:
    """Return the error about a log in which a line is missing or was changed: nothing else holds what it held."""
    return torn_file(file, error, "one event per line, in the order in which they happened", _RESTORE)


@contextlib.contextmanager
def named_damage(file: Path) -> Iterator[None]:
    """Say which log is damaged where a fold refuses an event: a line before it is missing or was changed.

    Raises:
        ConfigurationError: in place of the fold's ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise damaged_log(file, error) from error


def encode(event: Event, time: datetime) -> bytes:
    """Return the line of an event.

    Raises:
        ValueError: it holds a number that is not finite.
    """
    fields = to_json(event)
    if isinstance(event, TrialEnded):
        fields = fields["result"]
        fields = {"trial": fields.pop("number"), **fields}
    document = {"event": event.kind, "time": time.isoformat(timespec="milliseconds"), **fields}
    return to_line(document).encode()


def decode(line: bytes, *, is_strict: bool = False) -> tuple[Event, datetime] | None:
    """Return the event of a line and its time; None for a kind that this version does not know.

    Args:
        line: One line.
        is_strict: Refuse a line without a check, such as the version before wrote.

    Raises:
        RecursionError: it is nested too deeply.
        ValueError, KeyError, TypeError, AttributeError, OverflowError: the line is no event, or was changed.
    """
    if (found := _unchanged(line)) is not None:
        return found
    document = json.loads(line.decode())
    if _has_right_check(line):
        del document[CHECK]
    elif not without_check(document)[1] and is_strict:
        raise ValueError("the line has no check")
    kind, time = document.pop("event"), datetime.fromisoformat(document.pop("time"))
    event_type = _CLASSES.get(kind)
    if event_type is None:
        return None
    if event_type is TrialStarted:  # logs of a version before have the absolute path of that time
        document["directory"] = "/".join(document["directory"].split("/")[-2:])
    if event_type is TrialEnded:
        known = {field.name for field in dataclasses.fields(TrialResult)}
        result = {name: value for name, value in document.items() if name in known}
        document = {"result": {**result, "number": document["trial"], "assignment": document.get("assignment", {})}}
    return from_json(document, event_type), time


def _unchanged(line: bytes) -> tuple[Event, datetime] | None:
    """Return the event of a line as this version writes it; None where `decode` has to look at its fields itself.

    No dictionary of its fields is made, which takes half of the time that the log of a long study is read in.
    """
    head = _HEAD.match(line)
    event_type = None if head is None else _CLASSES.get(head[1].decode())
    if head is None or event_type is None or not _has_right_check(line):
        return None
    try:
        time = datetime.fromisoformat(head[2].decode())
        if event_type is TrialEnded and head[3]:
            return TrialEnded(from_json_text(b'{"number"' + line[head.end() :], TrialResult)), time
        event = from_json_text(b"{" + line[head.start(3) if head[3] else head.end() :], event_type)
    except (ValueError, OverflowError):
        return None
    is_before = event_type is TrialEnded or (event_type is TrialStarted and event.directory.count("/") != 1)
    return None if is_before else (event, time)


def _write_whole(handle: int, lines: bytes) -> int:
    """Append lines, or nothing of them: where a file system is full within one, half a line would end the log for ever.

    Returns:
        The offset behind them.

    Raises:
        OSError: it cannot be written.
    """
    before, left = os.fstat(handle).st_size, lines
    try:
        while left:
            left = left[os.write(handle, left) :]
    except OSError:
        os.ftruncate(handle, before)
        raise
    return os.fstat(handle).st_size


def _is_same(file: Path, handle: int) -> bool:
    try:
        there, opened = file.stat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino)


def _open(file: Path) -> int:
    """Open a log, and cut off what stands behind its last line feed, however much that is."""
    handle = open_own(file, os.O_RDWR | os.O_APPEND, 0o600)
    size = os.fstat(handle).st_size
    if size:
        with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
        if end < size:
            os.ftruncate(handle, end)
    return handle
