"""Attacks of single texts: a status file, a log, a metric file and an event log, each garbled in one place or several.

What a trainer's text reads as has finite values under names, and comes back from the event log as it was written. A
line of the event log that was changed is refused, or reads as what it was.
"""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from automl.executor.recording import measured_event
from automl.readers.log_lines import LogReader
from automl.readers.metric_file import read_metrics
from automl.readers.status_file import StatusReader
from automl.storage.event_log import decode, encode
from benchmarks.orchestration.damage import KINDS as DAMAGES
from benchmarks.orchestration.damage import damage

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from automl.study.trial import Measurement

_LONGEST_CPU_S = 1.0
_NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
_NUMBERS = ("0.5", "-1e-320", "1e400", "NaN", "-inf", "Infinity", "1,234.5", "1,5", "0x1p3", "١٢", "1_000", "9" * 400)
_WORDS = ("epoch", "loss", "val_loss", "train_loss", "Epoch 3/10", "best", "lr=", "|", "->", ":", "=", "\r", "\x1b[31m")
_STRANGE = ("\ud800", "\0", "\u2028", "", "true", "null", "{}", "[]", '"0.5"', "1e5", "-0.0", "9007199254740993")
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def status_line(_: Path, source: random.Random, folder: Path) -> str:
    """Garble a status file."""
    lines = [_document(source) for _ in range(source.randint(1, 4))]
    reader = StatusReader(folder)
    (folder / "status.json").write_bytes(_garbled("\n".join(lines), source))
    return _problem(source, lambda: (*reader.read(), *reader.finish()))


def log_line(_: Path, source: random.Random, folder: Path) -> str:
    """Garble a log."""
    words = (*_WORDS, *_NUMBERS, *_STRANGE)
    lines = [" ".join(source.choices(words, k=source.randint(1, 30))) for _ in range(source.randint(1, 6))]
    reader = LogReader(folder / "log", "val_loss", ("train_loss", "loss"), lambda: False, lambda: False)
    (folder / "log").write_bytes(_garbled("\n".join(lines), source))
    return _problem(source, lambda: (*reader.read(), *reader.finish()))


def metric_file(_: Path, source: random.Random, __: Path) -> str:
    """Garble a metric file."""
    lines = [_document(source) for _ in range(source.randint(1, 4))]
    table = "epoch,loss\n" + "\n".join(
        ",".join(source.choices((*_NUMBERS, *_STRANGE), k=source.randint(1, 4))) for _ in lines
    )
    text = source.choice(["\n".join(lines), f"[{','.join(lines)}]", table])
    return _problem(source, lambda: read_metrics(_garbled(text, source).decode("utf-8", "replace")))


def event_line(study: Path, source: random.Random, _: Path) -> str:
    """Change a line of an event log."""
    line = source.choice((study / "events.jsonl").read_bytes().splitlines(keepends=True))
    changed = damage(line, source.choice(DAMAGES), source)
    try:
        found = decode(changed, is_strict=True)
    except _UNREADABLE:
        return ""
    return "" if found == decode(line, is_strict=True) else f"{changed[:300]!r} reads as {found}"


def _document(source: random.Random) -> str:
    names = ("epoch", "step", "loss", "val/loss", "", "max_epoch", "message", "status", "\ud800", "kpi_nonfinite")
    values = (*_NUMBERS, *_STRANGE, '"FAILURE"', '{"loss": 0.5, "": 1}', '{"a": {"b": NaN}}', '["loss"]')
    fields = [f"{json.dumps(source.choice(names))}: {source.choice(values)}" for _ in range(source.randint(0, 6))]
    return "{" + ", ".join(['"kpi": {"loss": 0.25}', *fields]) + "}"


def _garbled(text: str, source: random.Random) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    for _ in range(source.choice([0, 0, 1, 3])):
        content = damage(content, source.choice(DAMAGES), source) if content else content
    return content + source.choice([b"\n", b"", b"\n\n"])


def _problem(source: random.Random, read: Callable[[], Iterable[Measurement]]) -> str:
    began_s = time.process_time()
    try:
        measurements = [*read()]
        wrong = [text for measurement in measurements if (text := _fault(measurement, source.randrange(100)))]
    except Exception as error:  # noqa: BLE001 # what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
    taken_s = time.process_time() - began_s
    return f"{taken_s:.1f} s of processor time" if taken_s > _LONGEST_CPU_S else "; ".join(wrong)


def _fault(measurement: Measurement, number: int) -> str:
    """Say what is wrong with a measurement; nothing where it is as it should be."""
    if not all(type(value) is float and math.isfinite(value) for value in measurement.values.values()):
        return f"{dict(measurement.values)} has what is no finite number"
    if not all(name.strip() for name in (*measurement.values, *measurement.nonfinite)):
        return "a metric without a name"
    event = measured_event(number, measurement)
    found = decode(encode(event, _NOW), is_strict=True)
    return "" if found == (event, _NOW) else f"{event} comes back as {found}"


KINDS: dict[str, Callable[[Path, random.Random, Path], str]] = {
    "a status file is garbled": status_line,
    "what a trainer prints is garbled": log_line,
    "a metric file is garbled": metric_file,
    "a line of events is changed": event_line,
}
