"""The rows of a data source: a list, or a folder of images and depth; for inference also an image or a pattern."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from depth_net.data.annotations import IMAGE_SUFFIXES, Row, names_files, read_annotations
from depth_net.data.folders import OTHER_PICTURES, find_pairs, read_folder, read_images
from depth_net.errors import DataError

if TYPE_CHECKING:
    from depth_net.config.dataset import DataSource

_LISTS: Final = (".txt", ".csv")
VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
"""Kinds of video that inference reads, in lower case."""


def read_rows(source: DataSource, *, needs_depth: bool) -> tuple[Row, ...]:
    """Read the rows of a source.

    Args:
        source: With a ``data_file``.
        needs_depth: Of a folder, leave out images without depth; of a list, lines whose ground truth is ``None``.
            Otherwise depth in a folder is not looked for, unless the source names a part of it.

    Raises:
        DataError: the list or folder cannot be used; says what was found.
    """
    path = Path(source.data_file).expanduser()
    _require_readable_kind(path)
    if not needs_depth and not path.exists() and is_pattern(source.data_file):
        return _read_pattern(path)
    if not needs_depth and path.suffix.lower() in IMAGE_SUFFIXES:
        return (Row(image=path, depth=None, line=1),)
    if path.is_dir():
        file = _only_list(path)
        if file is not None and not needs_depth and source.part is None and not names_files(file):
            file = None  # notes beside photographs
        if file is None or find_pairs(path):
            is_split = needs_depth or source.part is not None
            return read_folder(path, source.part, source.split_by) if is_split else read_images(path)
        path = file
    if source.part is not None:
        raise DataError(f"part: found {source.part} beside the list {path}; expected a folder; remove part")
    return read_annotations(path, needs_depth=needs_depth)


def _require_readable_kind(path: Path) -> None:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise DataError(f"{path}: found a video; expected a list, a folder or images; only inference reads videos")
    if path.suffix.lower() in OTHER_PICTURES:
        raise DataError(f"{path}: found a picture that is neither PNG nor JPEG; convert it")


def is_pattern(text: str) -> bool:
    """Tell whether a path has wildcards."""
    return any(sign in text for sign in "*?[")


def _read_pattern(pattern: Path) -> tuple[Row, ...]:
    fixed = next(parent for parent in pattern.parents if not is_pattern(str(parent)))
    found = sorted(path for path in fixed.glob(str(pattern.relative_to(fixed))) if path.is_file())
    images = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        others = f"; {len(found)} files of other kinds match, such as {found[0]}" if found else ""
        raise DataError(f"{pattern}: no .png, .jpg or .jpeg matches this pattern{others}")
    return tuple(Row(image=image, depth=None, line=line) for line, image in enumerate(images, start=1))


def _only_list(folder: Path) -> Path | None:
    files = [file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in _LISTS]
    return files[0] if len(files) == 1 else None
