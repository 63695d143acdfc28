"""Open files whose place somebody else can fill: regular files alone, and never waiting.

What is named may be a pipe, a terminal, a socket or a device without end. Opening or reading such a thing could wait
for ever, so it is refused before it is opened; a link is followed to what it names.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from io import BufferedReader, FileIO
from pathlib import Path


class NotAFileError(OSError):
    """What is named is no regular file; ``strerror`` says what it is."""


_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}


def open_regular(file: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        NotAFileError: it is no regular file.
        OSError: it is not there, or cannot be read, or its path holds a zero byte.
    """
    found = _found(file)
    try:
        return reopened(found, file)
    finally:
        os.close(found)


def open_to_append(file: Path, *, mode: int = 0o600) -> FileIO:
    """Open a regular file for writing behind its end, in one system call; one that is not there is made with a mode.

    Raises:
        NotAFileError: it is no regular file, or a link.
        OSError: it cannot be written, or its path holds a zero byte.
    """
    return FileIO(open_own(file, os.O_WRONLY | os.O_APPEND, mode), "ab")


def open_own(file: Path, flags: int, mode: int) -> int:
    """Open for writing what nobody else writes, or make it with a mode; return its descriptor.

    Raises:
        NotAFileError: it is no regular file, or a link: what that leads to is somebody else's.
        OSError: it cannot be written, or its path holds a zero byte.
    """
    with suppress(FileNotFoundError):
        os.close(_found(file))
    # What has taken its place since is not waited for either.
    try:
        opened = os.open(file, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, mode)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise NotAFileError(errno.EINVAL, f"it is a link to {file.readlink()}, not a file", str(file)) from error
    try:
        _require_file(opened, file)
    except NotAFileError:
        os.close(opened)
        raise
    return opened


def _found(file: Path) -> int:
    """Return a descriptor of a regular file with which nothing is opened yet; raises as `open_regular`."""
    if "\0" in str(file):
        raise OSError(errno.EINVAL, "its path holds a zero byte", str(file))
    # Opening alone waits for the writer of a pipe, or wakes it; not so with O_PATH.
    try:
        found = os.open(file, os.O_PATH)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise NotAFileError(errno.EINVAL, "it is a link that leads to itself, not a file", str(file)) from error
    try:
        _require_file(found, file)
    except NotAFileError:
        os.close(found)
        raise
    return found


def _require_file(opened: int, file: Path) -> None:
    if (kind := kind_of(os.fstat(opened).st_mode)) is not None:
        raise NotAFileError(errno.EINVAL, f"it is {kind}, not a file", str(file))


def reopened(found: int, file: Path) -> BufferedReader:
    """Open for reading what was found with ``O_PATH``; an OSError names the file."""
    try:
        return BufferedReader(FileIO(os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)))
    except OSError as error:
        error.filename = str(file)
        raise


def read_regular_file(file: Path) -> bytes:
    """Return the content of a regular file; raises as `open_regular`."""
    with open_regular(file) as stream:
        return stream.read()


def kind_of(mode: int) -> str | None:
    """Return what a file is, if it is no regular file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "a device")


def found_in(place: Path) -> str:
    """Return what is in a place, links followed, in words."""
    try:
        return kind_of(place.stat().st_mode) or "a file"
    except FileNotFoundError:
        return "a link to nothing" if place.is_symlink() else "nothing"
    except OSError as error:
        return error.strerror or str(error)


def followed(path: Path) -> Path:
    """Return where a path leads to, absolute and links followed.

    A link that leads to itself ends there: before Python 3.13, `Path.resolve` raises a RuntimeError for it.
    """
    return Path(os.path.realpath(path))  # noqa: TID251 # see above
