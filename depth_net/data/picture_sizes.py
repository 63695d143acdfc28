"""Height and width of image and ground-truth files from their first bytes, without decoding them.

Fast enough to compare every image of a data set with its ground truth before training. Whatever is not understood gives
None; the readers then report what is wrong.
"""

from __future__ import annotations

import struct
from tokenize import TokenError
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_PFM = (b"Pf", b"PF")
_NPY = b"\x93NUMPY"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers of frames, which contain the size; the three left out mark tables."""
_EXIF = 0xE1


def picture_size(path: Path) -> Size | None:
    """Return (height, width) of a PNG, JPEG, PFM or NPY file, None for anything else.

    A JPEG with EXIF data gives None too: it may be shown turned.
    """
    try:
        with path.open("rb") as file:
            return _size_of(file)
    except (OSError, ValueError, TypeError, TokenError, struct.error):
        return None


def _size_of(file: BinaryIO) -> Size | None:
    start = file.read(8)
    file.seek(0)
    if start == _PNG:
        width, height = struct.unpack(">II", file.read(24)[16:])
        return height, width
    if start[:2] == _JPEG:
        return _jpeg_size(file)
    if start[:2] in _PFM:
        _, width, height = file.read(64).split(maxsplit=3)[:3]
        return int(height), int(width)
    if start[:6] == _NPY:
        shape = [length for length in _npy_shape(file) if length != 1]
        return (shape[0], shape[1]) if len(shape) == 2 else None  # noqa: PLR2004 - rows and columns
    return None


def _jpeg_size(file: BinaryIO) -> Size | None:
    file.seek(2)
    while True:
        prefix, marker, length = struct.unpack(">BBH", file.read(4))
        if prefix != 0xFF or marker == _EXIF:  # noqa: PLR2004 - every JPEG marker starts with this byte
            return None
        if marker in _START_OF_FRAME:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return height, width
        file.seek(length - 2, 1)


def _npy_shape(file: BinaryIO) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, _ = read_header(file)
    return tuple(int(length) for length in shape)
