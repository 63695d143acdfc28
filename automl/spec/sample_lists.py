"""Files that a list of samples names, as `train.txt` its images: one line per sample, or texts in JSON.

Only the trainer knows what the columns mean, and whether a name is relative to a folder of its own. So what ends like a
file of data is taken for a name, and it is looked for beside the list.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".lst", ".json", ".jsonl"})
"""Of files that may be such lists."""
_KINDS = "png|jpe?g|bmp|tiff?|webp|exr|pfm|npy|npz|pt|pth|bin|txt|json|xml|mp4|ply|pcd|h5"
_NAME = re.compile(rf"[^\s:]+\.(?:{_KINDS})", re.IGNORECASE)
_ENDING = re.compile(rf"\.(?:{_KINDS})\Z", re.IGNORECASE)
_TEXT_END = re.compile(rf'\.(?:{_KINDS})"', re.IGNORECASE)
_COLUMN = re.compile(r"""(?:"([^"]*)")|'([^']*)'|(\S+)""")
_LONGEST_LINE = 1 << 16
_LONGEST_NAME = 4096


def is_name(column: str) -> bool:
    """Tell whether a column without spaces looks like the path of a file of data."""
    return _NAME.fullmatch(column) is not None


def separator_of(list_suffix: str, line: str) -> str | None:
    """Return what separates the columns of a list with that suffix, as a line of it shows; None for any space."""
    if list_suffix == ".csv":
        return ";" if line.count(";") > line.count(",") else ","
    return "\t" if list_suffix == ".tsv" else None


def columns_of(line: str, separator: str | None) -> list[str]:
    """Return the columns of a line.

    Raises:
        ValueError: a quotation is not closed.
        csv.Error: it is no line of a table.
    """
    if separator is not None:
        return [column.strip() for column in next(csv.reader([line], delimiter=separator))]
    return shlex.split(line, comments=False) if '"' in line or "'" in line else line.split()


def spellings(name: str) -> tuple[str, ...]:
    """Return how a name may be meant: lists begin relative paths with a slash, or have the backslashes of Windows."""
    return (name,) if name[0] != "/" and "\\" not in name else (name, name.replace("\\", "/").lstrip("/"))


def names_in(text: str, list_suffix: str) -> list[str]:
    """Return what a list names, each once, in its order."""
    is_json = list_suffix in {".json", ".jsonl"}
    return list(dict.fromkeys(_texts(text) if is_json else _columns(text.splitlines(), list_suffix)))


def _columns(lines: list[str], list_suffix: str) -> Iterator[str]:
    separator = separator_of(list_suffix, lines[0]) if lines else None
    for line in lines:
        if len(line) > _LONGEST_LINE:
            continue
        if separator is not None:
            with suppress(csv.Error):
                yield from filter(_ENDING.search, columns_of(line, separator))
        elif '"' in line or "'" in line:  # `shlex` takes 20 times as long
            yield from filter(_ENDING.search, map("".join, _COLUMN.findall(line)))
        else:
            yield from filter(_ENDING.search, line.split())


def _texts(text: str) -> Iterator[str]:
    """Yield the texts of a JSON document that end like names; with a quotation mark inside a name, none."""
    for end in _TEXT_END.finditer(text):
        start = text.rfind('"', max(0, end.start() - _LONGEST_NAME), end.start())
        with suppress(ValueError):
            if start >= 0:
                yield json.loads(text[start : end.end()])
