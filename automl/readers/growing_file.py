"""Read the lines of a file that another process is still writing.

Only whole lines are returned; a half-written last line waits for its end. A file that is replaced or truncated is read
again from its start; one that is held is read on, whatever has its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from automl.regular_file import open_regular
from automl.storage.trainer_files import open_made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import stat_result
    from pathlib import Path

    from automl.storage.held_log import HeldLog

_CHUNK_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 8 * 1024 * 1024
_FINGERPRINT_BYTES = 64
_UNSEEN = (-1, 0, 0)
# Progress bars return to the start of the line instead of ending it; JSON text never holds a bare return.
_LINE_END = re.compile(rb"[\r\n]+")
_RETURN, _NEWLINE = b"\r", b"\n"


@dataclass(slots=True)
class GrowingFile:
    """The lines of one growing file, each returned once.

    Attributes:
        path: The file; it need not exist yet.
        folder: The folder of the trainer that has made it, see `automl.storage.trainer_files`; None for a file of ours.
        furthest_behind_bytes: When more than this is unread, the oldest part is skipped; None reads everything.
        keeps_layout: Blank lines and indentations are kept, and a line that overwrites the one before, as those of a
            progress bar do, begins with a return.
        held: The file itself, where it is read whatever has its name.
        beside: The held file, where this one is read only while it has the name of that.
        begun: How often it was read from its start.
        losses: What was left out, as sentences by their kinds.
    """

    path: Path
    folder: Path | None = None
    furthest_behind_bytes: int | None = None
    keeps_layout: bool = False
    held: HeldLog | None = None
    beside: HeldLog | None = None
    begun: int = field(default=0, init=False)
    losses: dict[str, str] = field(default_factory=dict, init=False)
    _offset: int = 0
    _unfinished: bytes = b""
    # The bytes before the offset: they differ in a file that was truncated and has grown past the offset again.
    _fingerprint: bytes = b""
    _seen: tuple[int, int, int] = _UNSEEN
    # Up to the next end of a line nothing is read: the line is too long, or its begin was left out.
    _is_inside: bool = False

    @property
    def is_begun(self) -> bool:
        """Whether the file was there and could be read."""
        return self._seen != _UNSEEN

    def read(self) -> list[str]:
        """Return the lines that were completed since the last call, without empty ones unless the layout is kept.

        A file that does not exist or cannot be read has no lines. One call reads at most 256 KiB.
        """
        try:
            status = self._status()
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
            if mark == self._seen and self._offset == status.st_size:
                return []
            with self._open() as stream:
                if not self._is_continued(stream, status.st_ino, status.st_size):
                    self._offset, self._fingerprint, self._unfinished, self._is_inside = 0, b"", b"", False
                    self.begun += 1
                self._seen = mark
                fresh = self._next_bytes(stream, status.st_size)
        except OSError:
            return []
        *whole, self._unfinished = self._split(self._unfinished + fresh)
        if self._is_inside and whole:
            del whole[0]
            self._is_inside = False
        if len(self._unfinished) > _LONGEST_LINE_BYTES:
            self.losses["long line"] = f"{self.path.name} has a line of more than 8 MiB, which was not read"
            self._is_inside = True
        if self._is_inside:
            self._unfinished = b""
        return self._decoded(whole)

    def finish(self) -> Iterator[str]:
        """Yield all that is left, with the last line even if it has no end."""
        before = -1
        while before != self._offset:
            before = self._offset
            yield from self.read()
        last, self._unfinished = self._unfinished, b""
        yield from self._decoded([last])

    def _status(self) -> stat_result:
        if self.beside is not None and self.beside.is_named:
            raise FileNotFoundError(self.path)
        return self.path.stat() if self.held is None else self.held.status()

    def _open(self) -> BinaryIO:
        if self.held is not None:
            return self.held.reader()
        return open_regular(self.path) if self.folder is None else open_made(self.folder, self.path)

    def _split(self, content: bytes) -> list[bytes]:
        if not self.keeps_layout:
            return _LINE_END.split(content)
        if _RETURN in content:
            content = content.replace(_RETURN + _NEWLINE, _NEWLINE).replace(_RETURN, _NEWLINE + _RETURN)
        return content.split(_NEWLINE)

    def _is_continued(self, stream: BinaryIO, inode: int, size: int) -> bool:
        if inode != self._seen[0] or size < self._offset:
            return False
        stream.seek(self._offset - len(self._fingerprint))
        return stream.read(len(self._fingerprint)) == self._fingerprint

    def _next_bytes(self, stream: BinaryIO, size: int) -> bytes:
        limit = self.furthest_behind_bytes
        if limit is not None and size - self._offset > limit:
            self._offset, self._unfinished, self._is_inside = size - limit, b"", True
            self.losses["skipped"] = f"{self.path.name} grew faster than it could be read: a part of it was not"
        stream.seek(self._offset)
        fresh = stream.read(_CHUNK_BYTES)
        self._offset += len(fresh)
        if fresh:
            self._fingerprint = fresh[-_FINGERPRINT_BYTES:]
        return fresh

    def _decoded(self, lines: list[bytes]) -> list[str]:
        texts = (line.decode("utf-8", errors="replace") for line in lines)
        if self.keeps_layout:
            return [each.rstrip() for each in texts]
        return [text for each in texts if (text := each.strip())]
