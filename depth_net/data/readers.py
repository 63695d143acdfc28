"""Read images and ground-truth files into arrays; write PFM.

Values come out as the file stores them; what they mean, and which of them are valid, is decided in
depth_net.data.families. OpenCV is used only here and in depth_net.data.transforms.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import zipfile
from tokenize import TokenError
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from depth_net.errors import DataError
from depth_net.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

ImageArray: TypeAlias = npt.NDArray[np.uint8]
"""RGB, shape (H, W, 3)."""
DepthArray: TypeAlias = npt.NDArray[np.float32]
"""Depth or disparity, shape (H, W)."""

_PFM_HEADER = re.compile(
    rb"^(PF|Pf)\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s", re.DOTALL
)
_FSD_BASE = 255.0
_BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Bits per value of cameras, whose pictures PNG stores in 8 or 16 bits."""
_COMPARED_PICTURES = 8
_DIGITS = re.compile(r"\d+")
_MOST_PIXELS = 1 << 30
_HYPERSIM_WIDTH, _HYPERSIM_FOCAL = 1024, 886.81
"""Width of the images of Hypersim and their focal length, both in pixels (Roberts et al. 2021, arXiv:2011.02523)."""
PICTURE = "channels that differ: a picture, not depth"
"""How a ground-truth file that is a photograph or a colour map is described."""
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # OpenCV reads EXR, where it was built with it, only if asked to


def read_image(path: Path) -> ImageArray:
    """Read a PNG or JPEG as RGB, whatever its bit depth and number of channels.

    Values of more than 8 bits lose their lowest bits. How many bits there are follows from the largest value of this
    and a few other pictures of the folder with alike names: a camera of 12 bits writes values up to 4095 into 16 bits,
    and into a dark picture smaller ones.

    Raises:
        DataError: the file is missing, truncated, too large or no image.
    """
    decoded = _decode(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR_RGB, expected="a PNG or JPEG image")
    if decoded.dtype == np.uint16:
        largest = int(decoded.max())
        if largest < 1 << _BIT_DEPTHS[-2]:
            largest = max(largest, _largest_value(path.parent, _DIGITS.sub("0", path.name)))
        bits = next(bits for bits in _BIT_DEPTHS if largest < 1 << bits)
        decoded = decoded.astype(np.uint16) >> np.uint16(bits - 8)
    return np.asarray(decoded, dtype=np.uint8)


@functools.lru_cache(maxsize=4096)
def _largest_value(folder: Path, pattern: str) -> int:
    """Return the largest value in a few 16-bit pictures of a folder whose names differ in digits alone."""
    paths = sorted(path for path in folder.iterdir() if _DIGITS.sub("0", path.name) == pattern)
    largest = 0
    for path in paths[:: max(1, len(paths) // _COMPARED_PICTURES)][:_COMPARED_PICTURES]:
        with contextlib.suppress(DataError):
            values = _decode(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR_RGB, expected="a PNG or JPEG image")
            largest = max(largest, int(values.max())) if values.dtype == np.uint16 else largest
    return largest


def read_values(path: Path) -> DepthArray:
    """Read ground truth of any kind of file by its suffix: PNG, TIFF, EXR, PFM, NPY, NPZ or HDF5.

    Raises:
        DataError: the file cannot be read, or is a picture.
    """
    match path.suffix.lower():
        case ".pfm":
            return read_pfm(path)
        case ".npy":
            return read_npy(path)
        case ".npz":
            return read_npz(path)
        case ".h5" | ".hdf5":
            return read_hdf5(path)
        case _:
            return read_picture_values(path)


def read_pfm(path: Path, *, bottom_up: bool = True) -> DepthArray:
    """Read a portable float map of one channel, or of equal ones.

    Args:
        path: File with the header ``Pf`` or ``PF``, width and height, and a scale whose sign gives the byte order
            (negative: little-endian). The value of the scale is ignored, as the container ignores it.
        bottom_up: The rows are stored from the bottom, as the format demands; false for writers that do not.

    Raises:
        DataError: not a PFM file, shorter than its header declares, or a picture.
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
    rows = _one_channel(values.reshape(height, width, channels), path)
    return np.ascontiguousarray(rows[::-1] if bottom_up else rows, dtype=np.float32)


def write_pfm(path: Path, values: DepthArray) -> None:
    """Write ``values``, shape (H, W), as a little-endian PFM with its rows from the bottom."""
    height, width = values.shape
    header = f"Pf\n{width} {height}\n-1\n".encode("ascii")
    path.write_bytes(header + np.ascontiguousarray(values[::-1], dtype="<f4").tobytes())


def read_picture_values(path: Path) -> DepthArray:
    """Read the numbers of a PNG, TIFF or EXR with one channel, or with equal ones, as floats, unscaled.

    Raises:
        DataError: the file cannot be read, its channels differ, or this OpenCV was built without EXR.
    """
    raw = _decode(path, cv2.IMREAD_UNCHANGED, expected=f"a {path.suffix.lstrip('.').upper() or 'PNG'} image")
    return np.ascontiguousarray(_one_channel(raw, path), dtype=np.float32)


def read_unflipped_disparity(path: Path) -> DepthArray:
    """Read a PFM disparity map whose rows are stored from the top."""
    return read_pfm(path, bottom_up=False)


def read_fsd(path: Path) -> DepthArray:
    """Read a disparity encoded in the colours of an 8 bit PNG: (255^2 R + 255 G + B) / 1000."""
    red, green, blue = np.moveaxis(read_image(path).astype(np.float32), -1, 0)
    encoded = (red * _FSD_BASE**2 + green * _FSD_BASE + blue) / np.float32(1000.0)
    return np.asarray(encoded, dtype=np.float32)


def read_hypersim(path: Path) -> DepthArray:
    """Read the distances to the camera of Hypersim, HDF5 in metres, as depth along the optical axis; NaN is unknown."""
    distance = read_hdf5(path)
    height, width = distance.shape
    focal = _HYPERSIM_FOCAL * width / _HYPERSIM_WIDTH
    x = (np.arange(width) - (width - 1) / 2) / focal
    y = (np.arange(height) - (height - 1) / 2) / focal
    return np.asarray(distance / np.sqrt(1 + x[None] ** 2 + y[:, None] ** 2), dtype=np.float32)


def read_diode(path: Path) -> DepthArray:
    """Read depth of DIODE, NPY in metres, with 0 where the ``_mask.npy`` beside it is 0."""
    mask = read_npy(diode_mask(path))
    depth = read_npy(path)
    if mask.shape != depth.shape:
        raise DataError(
            f"{path}: expected a mask of its size, {depth.shape}; found {mask.shape} in {diode_mask(path).name}"
        )
    return np.where(mask > 0, depth, np.float32(0.0))


def diode_mask(path: Path) -> Path:
    """Return the file beside a depth map of DIODE that says what of it was measured."""
    return path.with_name(f"{path.stem}_mask.npy")


def read_raw_floats(path: Path, size: tuple[int, int]) -> DepthArray:
    """Read a file that holds nothing but little-endian 32-bit floats, the depth maps of ETH3D.

    Args:
        path: The file.
        size: Height and width, which are those of the image.
    """
    content = _read_bytes(path)
    if len(content) != 4 * size[0] * size[1]:
        raise _unreadable(path, expected=f"{4 * size[0] * size[1]} bytes, one 32-bit float per pixel of the image")
    return np.frombuffer(content, dtype="<f4").reshape(size).astype(np.float32)


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Read which pixels count: everything but 0.

    Raises:
        DataError: more than two different values, so that the file is no mask.
    """
    values = read_npy(path) if path.suffix.lower() == ".npy" else read_picture_values(path)
    if len(np.unique(values)) > 2:  # noqa: PLR2004 - true and false
        raise DataError(f"{path}: expected a mask of 0 and one other value; found {len(np.unique(values))} values")
    return values > 0


def read_hdf5(path: Path) -> DepthArray:
    """Read the array ``depth`` or ``dataset`` of an HDF5 file, or the only one in it."""
    import h5py  # noqa: PLC0415 - 0.1 s to import, for the few data sets in this format

    try:
        open_regular(path).close()
        with h5py.File(path, "r") as file:
            arrays = {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}
    except OSError as error:
        raise _unreadable(path, expected="an HDF5 file") from error
    return _plane(path, _only_array(path, arrays))


def read_npz(path: Path) -> DepthArray:
    """Read the array ``depth`` of an NPZ file, or the only one in it."""
    try:
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as file:
            arrays = dict(file.items())
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _unreadable(path, expected="an NPZ file of numeric arrays") from error
    return _plane(path, _only_array(path, arrays))


def _only_array(path: Path, arrays: dict[str, npt.NDArray[np.generic]]) -> npt.NDArray[np.generic]:
    names: list[str] = [name for name in ("depth", "dataset") if name in arrays] or [*arrays]
    if len(names) != 1:
        raise DataError(f"{path}: expected one array, or one named depth; found {', '.join(arrays) or 'none'}")
    return arrays[names[0]]


def read_npy(path: Path) -> DepthArray:
    """Read a ``.npy`` array of shape (H, W), (H, W, 1) or (1, H, W).

    Raises:
        DataError: not a numeric array of such a shape.
    """
    try:
        with open_regular(path) as file:  # np.load would open archives and pickles too, whatever the name
            values = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, TypeError, MemoryError, TokenError) as error:
        raise _unreadable(path, expected="a numeric .npy array") from error
    return _plane(path, values)


def _plane(path: Path, values: npt.NDArray[np.generic]) -> DepthArray:
    plane: npt.NDArray[np.generic] = np.squeeze(values)
    if plane.ndim != 2 or plane.dtype.kind not in "iuf":  # noqa: PLR2004 - rows and columns
        raise _unreadable(path, expected=f"one plane of numbers, found shape {values.shape} of {values.dtype}")
    return plane.astype(np.float32)


def _one_channel(raw: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.generic]:
    """Return the values of an image of one channel, or of equal ones; transparency is left out."""
    if raw.ndim == 2:  # noqa: PLR2004 - a grey image has two axes
        return raw
    colours = raw[..., :3]
    if not np.array_equal(colours, np.broadcast_to(colours[..., :1], colours.shape), equal_nan=raw.dtype.kind == "f"):
        raise DataError(
            f"{path}: expected one channel with numbers, found {PICTURE}; a colour map cannot be turned back into "
            "metres; name the file with the numbers"
        )
    return colours[..., 0]


def _decode(path: Path, flags: int, *, expected: str) -> npt.NDArray[np.generic]:
    # Not imread, which cannot open names that are no UTF-8.
    content = np.frombuffer(_read_bytes(path), dtype=np.uint8)
    try:
        decoded = cv2.imdecode(content, flags) if content.size else None
    except cv2.error as error:
        raise _unreadable(path, expected=f"{expected} of at most {_MOST_PIXELS} pixels") from error
    if decoded is None:
        if path.suffix.lower() == ".exr" and content.size:
            raise DataError(f"{path}: this OpenCV ({cv2.__version__}) reads no EXR; write the values as NPY or TIFF")
        raise _unreadable(path, expected=expected)
    return np.asarray(decoded)


def _read_bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as stream:
            return stream.read()
    except OSError as error:
        raise _unreadable(path, expected="a readable file") from error


def _unreadable(path: Path, *, expected: str) -> DataError:
    try:
        with open_regular(path) as stream:
            found = f"{stream.seek(0, os.SEEK_END)} bytes that cannot be read as such"
    except OSError as error:
        found = "a missing file" if isinstance(error, FileNotFoundError) else f"no readable file ({error.strerror})"
    return DataError(f"{path}: expected {expected}, found {found}; replace the file or remove its line")
