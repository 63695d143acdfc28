"""Annotation files: which image belongs to which ground truth, one sample per line.

A line holds an image, or an image and its ground truth, and what lists of other trainers add: a focal length, which is
ignored; a mask; the right image of a stereo pair before the ground truth. What three columns are follows from the
header, else from the files. Columns are separated by spaces or tabs, in CSV by commas or semicolons with a header or
without; a path with spaces stands in quotes; blank lines and ``#`` comments are skipped. A relative path is looked up
from the working directory first, as the container does, then from the folder of the annotation file; it may begin with
a slash and have backslashes. Reading images is not done here; see depth_net.data.readers.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
import stat
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from depth_net.data.picture_sizes import FileKind, file_kind
from depth_net.errors import DataError
from depth_net.regular_file import open_regular

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
_NONE = "none"
_SAYS_NONE = re.compile(r"^[^#]*[\s,;]none(?:[\s,;]|$)", re.IGNORECASE)
"""Ground truth of a line whose image has none, in lists of KITTI."""
_HEADER: Final = {
    "image": ("image", "img", "rgb", "color", "colour", "left", "input", "filename", "file", "path"),
    "depth": ("depth", "gt", "ground_truth", "groundtruth", "disparity", "disp", "target", "label"),
    "mask": ("mask", "valid", "valid_mask"),
}
"""Names of columns in the header of a list; other columns are ignored."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sample: an image and, unless it is only for inference, its ground truth."""

    image: Path
    depth: Path | None
    line: int
    """Line in the annotation file, from 1."""
    mask: Path | None = None
    """Which pixels count."""


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


def read_annotations(file: Path, *, needs_depth: bool = False) -> tuple[Row, ...]:
    """Read an annotation file and check that every file it names exists.

    Args:
        file: The annotation file, UTF-8 or UTF-16, with any line ends.
        needs_depth: Leave out lines whose ground truth is ``None``, which otherwise are images alone.

    Returns:
        One row per sample, in the order of the file; at least one.

    Raises:
        DataError: the file is missing or holds no sample, or some lines cannot be used; the first five are listed with
            their numbers and reasons, the rest is counted.
    """
    rows: list[Row] = []
    problems: list[str] = []
    header: tuple[str, ...] = ()
    without = 0
    for number, line in enumerate(_read_lines(file), start=1):
        cells = _columns_of(line, file.parent)
        if not any(cells):
            continue
        if not (rows or problems or header) and (header := _read_header(cells)):
            continue
        columns = _in_order(cells, header)
        outcome = _parse_row(columns, line=number, folder=file.parent, has_header=bool(header))
        if not isinstance(outcome, Row):
            hint = _unquoted_space_hint(line, file.parent) if len(problems) < _SHOWN_LINES else ""
            problems.append(f"line {number}: {outcome}{hint}")
        elif needs_depth and outcome.depth is None and _NONE in {column.lower() for column in columns[1:]}:
            without += 1
        else:
            rows.append(outcome)
    if problems:
        raise DataError(describe_bad_lines(file, problems, total=len(rows) + without + len(problems)))
    if not rows:
        none = f" ({without} lines whose ground truth is None)" if without else ""
        message = (
            f"annotation file {file} holds no sample{none}: expected one line per image, '<image> [<ground truth>]'"
        )
        raise DataError(message)
    return tuple(rows)


def names_files(file: Path) -> bool:
    """Tell whether any line of a text file names a file, so that it is a list."""
    lines = (_columns_of(line, file.parent) for line in _read_lines(file))
    return any(cell and _find_file(cell, file.parent) is not None for cells in lines for cell in cells)


def count_without_depth(file: Path) -> int:
    """Return how many lines of an annotation file say ``None`` in place of ground truth; 0 for a folder."""
    return sum(_SAYS_NONE.search(line) is not None for line in _read_lines(file)) if file.is_file() else 0


def describe_bad_lines(file: Path, problems: Sequence[str], *, total: int) -> str:
    """Return how many of ``total`` lines of ``file`` are bad, with the first five ``problems``."""
    shown = [f"  {problem}" for problem in problems[:_SHOWN_LINES]]
    if len(problems) > _SHOWN_LINES:
        shown.append(f"  and {len(problems) - _SHOWN_LINES} more")
    return "\n".join([f"annotation file {file}: {len(problems)} of {total} lines cannot be used", *shown])


def _read_lines(file: Path) -> list[str]:
    try:
        with open_regular(file) as stream:
            content = stream.read()
    except OSError as error:
        message = (
            f"annotation file {file} cannot be read: {error.strerror or error}; set data_file to an existing text file"
        )
        raise DataError(message) from error
    # Windows editors put a mark first, and its shell writes UTF-16; surrogateescape keeps file names of any encoding.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16", "replace") if is_wide else content.decode("utf-8-sig", "surrogateescape")
    return re.split(r"\r\n|\n|\r", text)


def _columns_of(line: str, folder: Path) -> tuple[str, ...]:
    """Split a line at blanks, or as CSV where its first column is no file and it has commas or semicolons.

    Empty cells of CSV are kept, because a header names columns by their order.
    """
    columns = tuple(column for column in split_columns(line) if column not in {",", ";"})
    separator = ";" if ";" in line else ","
    if not columns or separator not in line or _find_file(columns[0], folder):
        return columns
    return tuple(cell.strip() for cell in next(csv.reader([line.strip()], delimiter=separator)))


def _read_header(columns: Sequence[str]) -> tuple[str, ...]:
    """Return what each column holds, if these are the names of columns; empty if they are none."""
    words = [re.sub(r"(?<=.)[_ -]?(file|path|name|map|image)s?$", "", column.strip().lower()) for column in columns]
    kinds = [next((kind for kind, names in _HEADER.items() if word in names), "") for word in words]
    return tuple(kinds) if "image" in kinds and not any("." in column for column in columns) else ()


def _in_order(cells: tuple[str, ...], header: tuple[str, ...]) -> tuple[str, ...]:
    """Return image, ground truth and mask of a line; with a header an empty cell but the last stays empty."""
    if not header:
        return tuple(cell for cell in cells if cell)
    named = dict(reversed([*zip(header, cells, strict=False)]))
    image, depth, mask = (named.get(kind, "") for kind in _HEADER)
    return (image, depth, mask) if mask else (image, depth) if depth else (image,)


def _parse_row(columns: Sequence[str], *, line: int, folder: Path, has_header: bool) -> Row | str:
    """Return the row, or the reason why the line cannot be used."""
    image = _find_file(columns[0], folder)
    if image is None:
        return f"image not found: {_shortened(columns[0]) or 'an empty cell'}"
    if image.suffix.lower() not in IMAGE_SUFFIXES:
        others = [found for name in columns[1:] if (found := _find_file(name, folder))]
        if any(file_kind(other) is FileKind.PICTURE for other in others):
            return f"the columns seem to be swapped: {columns[0]} is no picture; write '<image> <ground truth>'"
        return (
            f"unsupported image type {image.suffix or 'without extension'}: {columns[0]} (expected .png, .jpg or .jpeg)"
        )
    rest = [name for name in columns[1:] if not _is_number(name)]
    return _with_truth(image, rest, line, folder, has_header=has_header)


def _with_truth(image: Path, rest: Sequence[str], line: int, folder: Path, *, has_header: bool) -> Row | str:
    if not rest or rest[0].lower() in {"", _NONE}:
        return Row(image=image, depth=None, line=line)
    files = [_find_file(name, folder) for name in rest]
    if len(files) == 1:
        return f"ground truth not found: {_shortened(rest[0])}" if files[0] is None else Row(image, files[0], line)
    if files[0] is None or files[1] is None:
        return f"file not found: {_shortened(rest[0 if files[0] is None else 1])}"
    if has_header:
        return Row(image, files[0], line, mask=files[1])
    return _tell_apart(image, files[0], files[1], line)


def _tell_apart(image: Path, second: Path, third: Path, line: int) -> Row | str:
    """Return the row of a line with three files: a stereo row, or ground truth and mask."""
    kinds = file_kind(second), file_kind(third)
    match kinds:
        case (FileKind.GREY, FileKind.GREY):
            return (
                f"ambiguous: {second.name} and {third.name} may be right image and ground truth, or ground truth and "
                "mask; write '<image> <ground truth>'"
            )
        case (FileKind.MAP, FileKind.MAP | FileKind.GREY):
            return Row(image, second, line, mask=third)
        case (FileKind.MAP, FileKind.PICTURE):
            return (
                f"{third.name} is a picture beside the ground truth {second.name}; write '<image> <ground truth>', or "
                "'<image> <right image> <ground truth>'"
            )
        case _:
            return Row(image, third, line)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shortened(name: str) -> str:
    return name if len(name) <= _SHOWN_LETTERS else f"{name[:_SHOWN_LETTERS]}... ({len(name)} letters)"


def _find_file(name: str, folder: Path) -> Path | None:
    spellings = [name, name.replace("\\", "/")] if "\\" in name else [name]
    for spelling in (*spellings, *(each.lstrip("/") for each in spellings if each.startswith("/"))):
        if _is_file(spelling):
            return type(folder)(spelling)
        beside_annotations = folder / spelling
        if _is_file(beside_annotations):
            return beside_annotations
    return None


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
