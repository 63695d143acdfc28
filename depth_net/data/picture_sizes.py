"""Height, width and kind of image and ground-truth files from their first bytes, without decoding them.

Fast enough to compare every image of a data set with its ground truth before training. Whatever is not understood gives
None; the readers then report what is wrong.
"""

from __future__ import annotations

import struct
from enum import Enum, auto
from tokenize import TokenError
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

from depth_net.regular_file import open_regular

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
_APP1 = 0xE1
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_ON_ITS_SIDE = 5
"""EXIF orientations from here on swap rows and columns."""
_MAPS = frozenset({".pfm", ".npy", ".npz", ".tif", ".tiff", ".exr", ".h5", ".hdf5"})
_GREY_COLOUR_TYPES = frozenset({0, 4})
_WIDE_BITS = 16


class FileKind(Enum):
    """What a file can be, as far as its suffix and its first bytes tell."""

    PICTURE = auto()
    """JPEG, or PNG in colour."""
    MAP = auto()
    """Numbers: PNG of 16 bits in grey, or a format of numbers."""
    GREY = auto()
    """PNG of at most 8 bits in grey: a picture, a map or a mask."""
    UNKNOWN = auto()


def file_kind(path: Path) -> FileKind:
    """Return what a file can be."""
    if path.suffix.lower() in _MAPS:
        return FileKind.MAP
    try:
        with open_regular(path) as file:
            start = file.read(26)
    except OSError:
        return FileKind.UNKNOWN
    if start.startswith(_JPEG):
        return FileKind.PICTURE
    if not start.startswith(_PNG) or len(start) < 26:  # noqa: PLR2004 - signature and first chunk
        return FileKind.UNKNOWN
    bits, colour = start[24], start[25]
    if colour not in _GREY_COLOUR_TYPES:
        return FileKind.PICTURE
    return FileKind.MAP if bits == _WIDE_BITS else FileKind.GREY


def has_8_bits(path: Path) -> bool:
    """Tell whether a file is an image of 8 bits per value at most, which is read as it is."""
    try:
        with open_regular(path) as file:
            start = file.read(26)
    except OSError:
        return False
    return start.startswith(_JPEG) or (start.startswith(_PNG) and start[24:25] < bytes([_WIDE_BITS]))


def picture_size(path: Path, *, is_image: bool = False) -> Size | None:
    """Return (height, width) of a PNG, JPEG, PFM or NPY file, None for anything else.

    Args:
        path: The file.
        is_image: EXIF data turn images when they are read, but not ground truth.
    """
    try:
        with open_regular(path) as file:
            return _size_of(file, is_image=is_image)
    except (OSError, ValueError, TypeError, TokenError, struct.error):
        return None


def _size_of(file: BinaryIO, *, is_image: bool) -> Size | None:
    start = file.read(8)
    if start == _PNG:
        return _png_size(file, is_image=is_image)
    if start[:2] == _JPEG:
        return _jpeg_size(file, is_image=is_image)
    file.seek(0)
    if start[:2] in _PFM:
        _, width, height = file.read(64).split(maxsplit=3)[:3]
        return int(height), int(width)
    if start[:6] == _NPY:
        shape = [length for length in _npy_shape(file) if length != 1]
        return (shape[0], shape[1]) if len(shape) == 2 else None  # noqa: PLR2004 - rows and columns
    return None


def _png_size(file: BinaryIO, *, is_image: bool) -> Size:
    width, height = struct.unpack(">8xII9x", file.read(25))
    while is_image:
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"eXIf":
            return _turned((height, width), file.read(length))
        if kind == b"IEND":
            break
        file.seek(length + 4, 1)
    return height, width


def _jpeg_size(file: BinaryIO, *, is_image: bool) -> Size | None:
    file.seek(2)
    exif = b""
    while True:
        prefix, marker, length = struct.unpack(">BBH", file.read(4))
        if prefix != 0xFF:  # noqa: PLR2004 - every JPEG marker starts with this byte
            return None
        if marker in _START_OF_FRAME:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return _turned((height, width), exif)
        content = file.read(length - 2)
        if is_image and marker == _APP1 and content.startswith(_EXIF):
            exif = exif or content.removeprefix(_EXIF)


def _turned(size: Size, exif: bytes) -> Size:
    """Swap the sides of an image that lies on its side, by the first directory of its EXIF data."""
    if not exif:
        return size
    order = ">" if exif.startswith(b"MM") else "<"
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, value = struct.unpack_from(f"{order}H6xH", exif, entry)
        if tag == _ORIENTATION and value >= _ON_ITS_SIDE:
            return size[1], size[0]
    return size


def _npy_shape(file: BinaryIO) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, _ = read_header(file)
    return tuple(int(length) for length in shape)
