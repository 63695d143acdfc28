"""Read images and ground-truth files into arrays; write PFM.

Values come out as the file stores them, in the unit that each function names; which of them are valid is decided in
depth_net.data.families. OpenCV is used only here and in depth_net.data.transforms.
"""

from __future__ import annotations

import re
from tokenize import TokenError
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from depth_net.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

ImageArray: TypeAlias = npt.NDArray[np.uint8]
"""RGB, shape (H, W, 3)."""
DepthArray: TypeAlias = npt.NDArray[np.float32]
"""Depth or disparity, shape (H, W)."""

_PFM_HEADER = re.compile(
    rb"^(PF|Pf)\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s", re.DOTALL
)
_CRESTEREO_SCALE = 32.0
_FSD_BASE = 255.0
_MILLIMETRES_PER_METRE = 1000.0


def read_image(path: Path) -> ImageArray:
    """Read a PNG or JPEG as RGB, whatever its bit depth and number of channels.

    Raises:
        DataError: the file is missing, truncated or no image.
    """
    return np.asarray(_decode(path, cv2.IMREAD_COLOR_RGB, expected="a PNG or JPEG image"), dtype=np.uint8)


def read_pfm(path: Path, *, bottom_up: bool = True) -> DepthArray:
    """Read a portable float map; of a colour map, the first channel.

    Args:
        path: File with the header ``Pf`` or ``PF``, width and height, and a scale whose sign gives the byte order
            (negative: little-endian). The value of the scale is ignored, as the container ignores it.
        bottom_up: The rows are stored from the bottom, as the format demands; false for writers that do not.

    Raises:
        DataError: not a PFM file, or shorter than its header declares.
    """
    content = _read_bytes(path)
    header = _PFM_HEADER.match(content)
    if header is None:
        raise _unreadable(path, expected="a PFM file (header 'Pf', width and height, scale)")
    channels = 3 if header[1] == b"PF" else 1
    width, height = int(header[2]), int(header[3])
    byte_order = "<" if float(header[4]) < 0 else ">"
    count = width * height * channels
    if len(content) - header.end() < 4 * count:
        raise _unreadable(path, expected=f"{4 * count} bytes of {width}x{height} values after the header")
    values = np.frombuffer(content, dtype=f"{byte_order}f4", count=count, offset=header.end())
    rows = values.reshape(height, width, channels)[..., 0]
    return np.ascontiguousarray(rows[::-1] if bottom_up else rows, dtype=np.float32)


def write_pfm(path: Path, values: DepthArray) -> None:
    """Write ``values``, shape (H, W), as a little-endian PFM with its rows from the bottom."""
    height, width = values.shape
    header = f"Pf\n{width} {height}\n-1\n".encode("ascii")
    path.write_bytes(header + np.ascontiguousarray(values[::-1], dtype="<f4").tobytes())


def read_png_values(path: Path) -> DepthArray:
    """Read the integers of an 8 or 16 bit PNG as floats, unscaled; of a colour image, the first (red) channel."""
    raw = _decode(path, cv2.IMREAD_UNCHANGED, expected="a PNG image")
    return np.ascontiguousarray(raw if raw.ndim == 2 else raw[..., _red(raw)], dtype=np.float32)  # noqa: PLR2004 - a grey image has two axes


def read_disparity(path: Path) -> DepthArray:
    """Read a disparity map: PFM, or PNG integers in which 0 means unknown and becomes +inf."""
    if path.suffix.lower() == ".pfm":
        return read_pfm(path)
    return _zero_to_infinity(read_png_values(path))


def read_unflipped_disparity(path: Path) -> DepthArray:
    """Read a PFM disparity map whose rows are stored from the top."""
    return read_pfm(path, bottom_up=False)


def read_millimetres(path: Path) -> DepthArray:
    """Read a 16 bit PNG of millimetres as metres; 0 means no measurement."""
    return read_png_values(path) / np.float32(_MILLIMETRES_PER_METRE)


def read_crestereo(path: Path) -> DepthArray:
    """Read a 16 bit PNG of 1/32 pixel disparity as pixels."""
    return read_png_values(path) / np.float32(_CRESTEREO_SCALE)


def read_fsd(path: Path) -> DepthArray:
    """Read a disparity encoded in the colours of an 8 bit PNG: (255^2 R + 255 G + B) / 1000; 0 becomes +inf."""
    red, green, blue = np.moveaxis(read_image(path).astype(np.float32), -1, 0)
    encoded = (red * _FSD_BASE**2 + green * _FSD_BASE + blue) / np.float32(1000.0)
    return _zero_to_infinity(encoded.astype(np.float32))


def read_npy_depth(path: Path) -> DepthArray:
    """Read depth in metres from a ``.npy`` array of shape (H, W), (H, W, 1) or (1, H, W).

    Raises:
        DataError: not a numeric array of such a shape.
    """
    try:
        with path.open("rb") as file:  # np.load would open archives and pickles too, whatever the name
            values = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, TypeError, MemoryError, TokenError) as error:
        raise _unreadable(path, expected="a numeric .npy array") from error
    plane: npt.NDArray[np.generic] = np.squeeze(values)
    if plane.ndim != 2 or plane.dtype.kind not in "biuf":  # noqa: PLR2004 - rows and columns
        raise _unreadable(path, expected=f"one plane of numbers, found shape {values.shape} of {values.dtype}")
    return plane.astype(np.float32)


def _zero_to_infinity(values: DepthArray) -> DepthArray:
    return np.where(values == 0, np.float32(np.inf), values)


def _red(raw: npt.NDArray[np.generic]) -> int:
    """Index of the red channel as OpenCV stores it: grey with alpha has none, so its first."""
    return 2 if raw.shape[2] >= 3 else 0  # noqa: PLR2004 - blue, green, red


def _decode(path: Path, flags: int, *, expected: str) -> npt.NDArray[np.generic]:
    # Not imread, which cannot open names that are no UTF-8.
    content = np.frombuffer(_read_bytes(path), dtype=np.uint8)
    decoded = cv2.imdecode(content, flags) if content.size else None
    if decoded is None:
        raise _unreadable(path, expected=expected)
    return np.asarray(decoded)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, expected="a readable file") from error


def _unreadable(path: Path, *, expected: str) -> DataError:
    found = "a missing file" if not path.is_file() else f"{path.stat().st_size} bytes that cannot be read as such"
    return DataError(f"{path}: expected {expected}, found {found}; replace the file or remove its line")
