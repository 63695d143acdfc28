"""Decoded and resized samples on disk, made once and read by all processes, trials and runs of a user.

Decoding a photograph and its 16-bit depth takes a core 6 to 10 ms, reading them from here 0.2 ms, from memory as long
as the system keeps the file there. Every row of a set is one file, written under another name first, so that writers
may be many and may be killed. A file is used only if it is of the same source files (paths, sizes, times), of the same
code and settings, complete, and has the sum that it was written with; whatever else is found, the row is decoded.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from depth_net.data.families import GroundTruth
from depth_net.data.file_stamps import are_settled, is_key, key_of, stamp_of
from depth_net.regular_file import open_regular
from depth_net.user_cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from depth_net.data.readers import ImageArray

logger = logging.getLogger(__name__)

_HEAD: Final = struct.Struct("<8s32sQ6I")
"""Magic word, stamp, sum, height and width of the image, of the native image, of the ground truth (0 without one)."""
_MAGIC: Final = b"DNROW 1\n"
_WORD: Final = 8
_ROWS_PER_FOLDER: Final = 1000
_SPARE_BYTES: Final = 2 << 30
"""Free space that is left for checkpoints."""
_FIRST_WRITES: Final = 32
"""Rows after which the time of writing counts."""
_UNUSED_S: Final = 14 * 86400.0
_ABANDONED_S: Final = 3600.0
_MEMORY: Final = Path("/proc/meminfo")
_MOST_SHARE: Final = 4
"""One set takes a quarter of the free space at most."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One row, decoded and, unless its size is random, resized."""

    image: ImageArray
    truth: GroundTruth | None
    native: tuple[int, int]
    is_pure: bool = True
    """It depends on the files of its row alone."""

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        truth_bytes = 0 if self.truth is None else self.truth.target.nbytes + self.truth.valid.nbytes
        return self.image.nbytes + truth_bytes


class DecodedStore:
    """The rows of one set.

    Args:
        folder: Of this set alone; see `open_store`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_writable = True
        self._writes = 0
        self._writing_s = 0.0
        self._decoding_s = 0.0

    def get(self, index: int, sources: Sequence[Path], decode: Callable[[], Decoded]) -> Decoded:
        """Return a row, from the store or else by ``decode``, whose result is kept.

        Args:
            index: Number of the row.
            sources: The files of the row.
            decode: Makes it from them.
        """
        stamp = stamp_of(sources)
        found = _read(self._place(index), stamp) if stamp else None
        if found is not None:
            return found
        began = time.perf_counter()
        decoded = decode()
        self._decoding_s += time.perf_counter() - began
        if self._is_writable and decoded.is_pure and stamp and stamp_of(sources) == stamp and are_settled(sources):
            self._keep(index, stamp, decoded)
        return decoded

    def _place(self, index: int) -> Path:
        return self.folder / f"{index // _ROWS_PER_FOLDER:05d}" / f"{index:08d}"

    def _keep(self, index: int, stamp: bytes, decoded: Decoded) -> None:
        began = time.perf_counter()
        try:
            if shutil.disk_usage(self.folder).free < _SPARE_BYTES:
                self._stop_writing("the disk is nearly full")
                return
            _write(self._place(index), stamp, decoded, self.folder / f"{secrets.token_hex(8)}.part")
        except OSError as error:
            self._stop_writing(str(error))
        self._writing_s += time.perf_counter() - began
        self._writes += 1
        if self._writes >= _FIRST_WRITES and self._writing_s > self._decoding_s:
            self._stop_writing("writing takes longer than decoding")

    def _stop_writing(self, reason: str) -> None:
        self._is_writable = False
        logger.info("no more decoded samples are kept in %s: %s", self.folder, reason)


def open_store(key: Iterable[str], *, needed: int, limit: int | None) -> DecodedStore | None:
    """Open the store of one set of rows.

    Args:
        key: All that decides what the rows are, besides the content of their files.
        needed: Bytes of the whole set.
        limit: Most of them; None means a quarter of the free space and half of the free memory.

    Returns:
        None where the set is too large or no folder can be written.
    """
    root = cache_folder("decoded")
    if root is None or (limit is not None and needed > limit):
        return None
    folder = root / key_of(key)
    try:
        _sweep(root, folder)
        if limit is None and not folder.is_dir() and needed > _room(root):
            return None
        folder.mkdir(exist_ok=True)
        os.utime(folder)
    except OSError as error:
        logger.info("decoded samples are not kept: %s", error)
        return None
    return DecodedStore(folder)


def _room(root: Path) -> int:
    """Bytes that one set may take: of the disk, and of the memory, without which reading could be slower."""
    room = shutil.disk_usage(root).free // _MOST_SHARE
    if not _MEMORY.is_file():
        return room
    facts = dict(line.split(":", maxsplit=1) for line in _MEMORY.read_text(encoding="ascii").splitlines())
    return min(room, int(facts["MemAvailable"].split()[0]) * 1024 // 2)


def _sweep(root: Path, own: Path) -> None:
    """Remove sets that were not opened for two weeks, and what killed writers have left of this one."""
    now = time.time()
    for folder in root.iterdir():
        if folder != own and is_key(folder.name) and now - folder.stat().st_mtime > _UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)  # its own
    for part in own.glob("*.part"):
        with contextlib.suppress(OSError):
            if now - part.stat().st_mtime > _ABANDONED_S:
                part.unlink()  # its own


def _write(place: Path, stamp: bytes, decoded: Decoded, unfinished: Path) -> None:
    truth_shape, target = (0, 0), b""
    if decoded.truth is not None:
        truth_shape = (decoded.truth.target.shape[0], decoded.truth.target.shape[1])
        target = np.where(decoded.truth.valid, decoded.truth.target, np.float32("nan")).tobytes()
    content = target + decoded.image.tobytes()
    content += bytes(-len(content) % _WORD)
    head = _HEAD.pack(_MAGIC, stamp, _sum_of(content), *decoded.image.shape[:2], *decoded.native, *truth_shape)
    place.parent.mkdir(exist_ok=True)
    try:
        unfinished.write_bytes(head + content)
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)  # its own


def _read(place: Path, stamp: bytes) -> Decoded | None:
    """Return the content of a file if it is whole and of the sources with this stamp."""
    try:
        content = bytearray(place.stat().st_size)
        with open_regular(place) as file:
            count = file.readinto(content)
    except OSError:
        return None
    if count != len(content) or count < _HEAD.size:
        return None
    magic, found, total, height, width, *sizes = _HEAD.unpack_from(content)
    native, truth_shape = (sizes[0], sizes[1]), (sizes[2], sizes[3])
    image_bytes, values = 3 * height * width, truth_shape[0] * truth_shape[1]
    payload = memoryview(content)[_HEAD.size :]
    length = image_bytes + 4 * values
    if magic != _MAGIC or found != stamp or len(payload) != length + -length % _WORD or _sum_of(payload) != total:
        return None
    image = np.frombuffer(payload, np.uint8, image_bytes, offset=4 * values).reshape(height, width, 3)
    if not values:
        return Decoded(image, None, native)
    target = np.frombuffer(payload, np.float32, values).reshape(truth_shape)
    valid = ~np.isnan(target)
    target[~valid] = 0
    return Decoded(image, GroundTruth(target, valid), native)


def _sum_of(content: bytes | memoryview) -> int:
    """Return a sum by which blocks that were never written, or changed, are seen; 20 us, a CRC takes 800."""
    return int(np.add.reduce(np.frombuffer(content, dtype=np.uint64)))
