"""Check a sample of the lines of an annotation file, and count its samples.

Only the trainer knows what the columns mean. Broken JSON and absent files stop a run. Another number of columns than
the other lines have, or bytes that are not UTF-8, may be intended. A trainer may resolve a relative path in a folder of
its own, so an absent one stops a run only where other paths of the file are found.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from automl.preflight.findings import Finding, bad, doubt, good
from automl.regular_file import open_regular
from automl.spec.sample_lists import columns_of, is_name, separator_of, spellings

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 3
_SHOWN_CHARACTERS = 200
_COUNTED = frozenset({".txt", ".csv"})
# A million lines are counted in about 0.1 s; larger files take too long.
_COUNTED_BYTES = 256 * 1024 * 1024
# Reading takes about 0.1 s for this many bytes; lines behind them are not sampled.
_READ_BYTES = 64 * 1024 * 1024

_Broken: TypeAlias = "list[tuple[int, str]]"
"""The number of each line that cannot be used, and why."""


def check_annotations(file: Path, *, sampled: int) -> Finding:
    """Check so many lines of an annotation file that can be read: the first ones, and others spread over the file."""
    check, suffix = f"annotations {file.name}", file.suffix.lower()
    with open_regular(file) as stream:
        raw = stream.read(_READ_BYTES)
    if not raw.strip():
        return bad(check, "an empty file", expected="at least one sample", fix=f"write the samples into {file}")
    if suffix == ".json":
        return _check_document(check, raw, file)
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), start=1) if _is_sample(line)]
    if not lines:
        return bad(check, "no line with a sample", expected="one line per sample", fix=f"write the samples into {file}")
    chosen = lines[: sampled // 2] + lines[sampled // 2 :: max(1, 2 * len(lines) // sampled)]
    broken, is_certain = (_bad_records(chosen), True) if suffix == ".jsonl" else _bad_rows(chosen, file)
    if not broken:
        return good(check, f"{len(lines)} samples, {len(chosen)} checked")
    listed = "; ".join(f"line {number}: {reason}" for number, reason in broken[:_SHOWN])
    more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    found = f"{len(broken)} of {len(chosen)} checked lines cannot be used: {listed}{more}"
    return (bad if is_certain else doubt)(check, found, fix=f"correct these lines of {file}")


def count_samples(file: Path) -> int | None:
    """Return the number of samples that an annotation file lists; None where it is unknown."""
    try:
        if not file.is_file() or file.suffix.lower() not in _COUNTED or file.stat().st_size > _COUNTED_BYTES:
            return None
        with open_regular(file) as lines:
            return sum(map(_is_sample, lines))
    except OSError:
        return None


def _is_sample(line: bytes) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith(b"#")


def _check_document(check: str, raw: bytes, file: Path) -> Finding:
    if len(raw) == _READ_BYTES:
        return good(check, "a JSON file too large to check")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return bad(check, f"not JSON: {error}", expected="one JSON document", fix=f"correct {file}")
    count = len(document) if isinstance(document, list | dict) else 1
    return good(check, f"JSON, {count} {'entries' if isinstance(document, list) else 'keys'}")


def _bad_records(lines: Sequence[tuple[int, bytes]]) -> _Broken:
    broken = []
    for number, line in lines:
        try:
            json.loads(line)
        except (ValueError, RecursionError) as error:
            broken.append((number, f"not JSON: {error}"))
    return broken


def _bad_rows(lines: Sequence[tuple[int, bytes]], file: Path) -> tuple[_Broken, bool]:
    """Return the bad lines, and whether every trainer must fail on them."""
    separator = separator_of(file.suffix.lower(), lines[0][1].decode(errors="replace"))
    rows: list[tuple[int, list[str]]] = []
    broken: _Broken = []
    for number, line in lines:
        try:
            rows.append((number, columns_of(line.decode("utf-8-sig"), separator)))
        except (ValueError, csv.Error) as error:
            broken.append((number, "not UTF-8" if isinstance(error, UnicodeError) else str(error).lower()))
    usual = Counter(len(columns) for _, columns in rows).most_common(1)[0][0] if rows else 0
    broken += [
        (number, f"{len(columns)} column{'' if len(columns) == 1 else 's'} where others have {usual}")
        for number, columns in rows
        if len(columns) != usual
    ]
    absent = {number: name for number, columns in rows if (name := _absent(columns, file.parent)) is not None}
    is_certain = any(Path(name).is_absolute() for name in absent.values()) or 0 < len(absent) < len(rows)
    for number, name in absent.items():
        shown = name if len(name) <= _SHOWN_CHARACTERS else f"...{name[-_SHOWN_CHARACTERS:]}"
        broken.append((number, f"no file {shown}"))
    return sorted(broken, key=lambda line: line[0]), is_certain


def _absent(columns: Sequence[str], folder: Path) -> str | None:
    """Return the first column that names a file which does not exist."""
    for column in columns:
        if not is_name(column):
            continue
        try:
            is_there = any(Path(each).exists() or (folder / each).exists() for each in spellings(column))
        except OSError:
            is_there = False
        if not is_there:
            return column
    return None
