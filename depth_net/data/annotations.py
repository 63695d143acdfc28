"""Annotation files: which image belongs to which ground truth, one sample per line.

A line holds 1 column (image), 2 (image, ground truth) or 3 and more (image, ignored right image, ground truth). Columns
are separated by spaces or tabs; a path with spaces stands in quotes; blank lines and ``#`` comments are skipped. A
relative path is looked up from the working directory first, as the container does, then from the folder of the
annotation file. Reading images is not done here; see depth_net.data.readers.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from depth_net.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
"""Kinds of image that can be read, in lower case."""

_COLUMN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(\#.*)|(\S+))""")
_SPECIAL = re.compile(r"""["'#]""")
_SHOWN_LINES = 5
_SHOWN_LETTERS = 300
_TRIED_WORDS = 12
_COLUMNS_WITH_RIGHT_IMAGE = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One sample: an image and, unless it is only for inference, its ground truth."""

    image: Path
    depth: Path | None
    line: int
    """Line in the annotation file, from 1."""


def split_columns(line: str) -> tuple[str, ...]:
    """Split one annotation line into its columns, without quotes and without a trailing comment."""
    if not _SPECIAL.search(line):
        return tuple(line.split())
    columns: list[str] = []
    for match in _COLUMN.finditer(line.strip()):
        double_quoted, single_quoted, comment, plain = match.groups()
        if comment is not None:
            break
        columns.append(next(part for part in (double_quoted, single_quoted, plain) if part is not None))
    return tuple(columns)


def quote_column(path: str) -> str:
    """Write one path so that `split_columns` gives it back.

    Raises:
        DataError: the path holds a line break, or both kinds of quotes; no annotation line can contain it.
    """
    plain = path != "" and not re.search(r"\s", path) and path[0] not in "\"'#"
    if plain:
        return path
    if not re.search(r"[\r\n]", path):
        for quote in ('"', "'"):
            if quote not in path:
                return f"{quote}{path}{quote}"
    message = (
        f"{path!r} cannot be written to an annotation file: it holds a line break or both kinds of quotes; rename it"
    )
    raise DataError(message)


def read_annotations(file: Path) -> tuple[Row, ...]:
    """Read an annotation file and check that every file it names exists.

    Args:
        file: The annotation file, UTF-8, with any line ends.

    Returns:
        One row per sample, in the order of the file; at least one.

    Raises:
        DataError: the file is missing or holds no sample, or some lines cannot be used; the first five are listed with
            their numbers and reasons, the rest is counted.
    """
    rows: list[Row] = []
    problems: list[str] = []
    for number, line in enumerate(_read_lines(file), start=1):
        columns = split_columns(line)
        if not columns:
            continue
        outcome = _parse_row(columns, line=number, folder=file.parent)
        if isinstance(outcome, Row):
            rows.append(outcome)
        else:
            hint = _unquoted_space_hint(line, file.parent) if len(problems) < _SHOWN_LINES else ""
            problems.append(f"line {number}: {outcome}{hint}")
    if problems:
        raise DataError(describe_bad_lines(file, problems, total=len(rows) + len(problems)))
    if not rows:
        message = f"annotation file {file} holds no sample: expected one line per image, '<image> [<ground truth>]'"
        raise DataError(message)
    return tuple(rows)


def describe_bad_lines(file: Path, problems: Sequence[str], *, total: int) -> str:
    """Return how many of ``total`` lines of ``file`` are bad, with the first five ``problems``."""
    shown = [f"  {problem}" for problem in problems[:_SHOWN_LINES]]
    if len(problems) > _SHOWN_LINES:
        shown.append(f"  and {len(problems) - _SHOWN_LINES} more")
    return "\n".join([f"annotation file {file}: {len(problems)} of {total} lines cannot be used", *shown])


def _read_lines(file: Path) -> list[str]:
    try:
        content = file.read_bytes()
    except OSError as error:
        message = (
            f"annotation file {file} cannot be read: {error.strerror or error}; set data_file to an existing text file"
        )
        raise DataError(message) from error
    # Windows editors put a mark first, and its shell writes UTF-16; surrogateescape keeps file names of any encoding.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16", "replace") if is_wide else content.decode("utf-8-sig", "surrogateescape")
    return re.split(r"\r\n|\n|\r", text)


def _parse_row(columns: Sequence[str], *, line: int, folder: Path) -> Row | str:
    """Return the row, or the reason why the line cannot be used."""
    depth_name = columns[-1] if len(columns) < _COLUMNS_WITH_RIGHT_IMAGE else columns[2]
    image = _find_file(columns[0], folder)
    if image is None:
        return f"image not found: {_shortened(columns[0])}"
    if image.suffix.lower() not in IMAGE_SUFFIXES:
        return (
            f"unsupported image type {image.suffix or 'without extension'}: {columns[0]} (expected .png, .jpg or .jpeg)"
        )
    if len(columns) == 1:
        return Row(image=image, depth=None, line=line)
    depth = _find_file(depth_name, folder)
    if depth is None:
        return f"ground truth not found: {_shortened(depth_name)}"
    return Row(image=image, depth=depth, line=line)


def _shortened(name: str) -> str:
    return name if len(name) <= _SHOWN_LETTERS else f"{name[:_SHOWN_LETTERS]}... ({len(name)} letters)"


def _find_file(name: str, folder: Path) -> Path | None:
    if _is_file(name):
        return type(folder)(name)
    beside_annotations = folder / name
    return beside_annotations if _is_file(beside_annotations) else None


def _is_file(path: str | Path) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - making a path takes longer than asking the disk
    except (OSError, ValueError):  # not there, too long, below a folder that may not be entered, no name of a file
        return False


def _unquoted_space_hint(line: str, folder: Path) -> str:
    """Return a hint which parts of a line together name one file."""
    words = list(re.finditer(r"\S+", line))[:_TRIED_WORDS]
    for first, last in combinations(words, 2):
        path = line[first.start() : last.end()]
        if _find_file(path, folder) is not None:
            return f" (the file '{path}' exists: put paths with spaces in quotes)"
    return ""
