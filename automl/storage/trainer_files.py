"""Open what a trainer has made: regular files inside its own folder, without waiting, and none that is too large.

A trainer may leave a named pipe, on which a reader waits for ever, or a link to a file of this machine that it could
not read itself: a container's links are followed outside of it. So every file below the folder of a trial or of an
action is opened here. What is refused is remembered until `refusals` is asked for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from fnmatch import fnmatch
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from automl.regular_file import followed, kind_of, open_regular, reopened
from automl.storage.held_study import require_held
from automl.visible_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

MOST_BYTES = 64 * 1024 * 1024
"""Most that is read or copied of one file at once; logs, status files and checkpoints have no limit."""

_MOST_HOLES = 16 * 1024**3
_HOLES_PER_DATA = 16
_MOST_EXTENTS = 10_000

_MOST_REMEMBERED = 1000
_DEEPEST = 100
_refused: dict[Path, str] = {}


class RefusedFileError(OSError):
    """A file of a trainer is not opened; the text says which and why."""


def open_made(folder: Path, file: Path, *, most_bytes: int | None = None) -> BufferedReader:
    """Open a file that a trainer has made, for reading.

    Args:
        folder: The folder of its trial or action, which a link in the file's path may not leave.
        file: The file, in the folder or below.
        most_bytes: A larger file is refused; None for no limit.

    Raises:
        RefusedFileError: it is no regular file, lies outside the folder, is too large, or has terabytes without content
            that would be read for hours and may fill a disk as a copy.
        OSError: it cannot be opened, or the folder is no longer that of the study which this process holds.
    """
    require_held(folder)
    # Not opened for reading before it is known to be a file: that alone waits for, or wakes, the writer of a pipe.
    found = os.open(file, os.O_PATH)
    try:
        if (problem := _problem(folder, found, most_bytes)) is not None:
            raise _refusal(folder, file, problem)
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(reopened(found, file))
            if (holes := _holes(stream.fileno())) > _MOST_HOLES:
                raise _refusal(folder, file, f"is nearly empty: {holes} of its bytes were never written")
            stack.pop_all()
            return stream
    finally:
        os.close(found)


def read_made(folder: Path, file: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a file that a trainer has made; raises as `open_made`."""
    with open_made(folder, file, most_bytes=most_bytes) as stream:
        # Python takes memory for all that may be read, not for what there is.
        return stream.read(min(most_bytes, os.fstat(stream.fileno()).st_size))


def can_open(folder: Path, file: Path) -> bool:
    """Tell whether `open_made` opens a file."""
    try:
        open_made(folder, file).close()
    except OSError:
        return False
    return True


def files_below(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """Yield what a folder that a trainer has made holds and is no folder, in order of paths, links not followed.

    Below 100 folders in each other nothing is looked for: Python's own walks end with an error at 1,000.

    Args:
        folder: The folder.
        pattern: Of the name of what is yielded.
    """
    for name, folders, files in os.walk(folder):
        here = Path(name)
        folders.sort()
        links = [entry for entry in folders if (here / entry).is_symlink()]
        yield from (here / entry for entry in sorted((*files, *links)) if fnmatch(entry, pattern))
        if len(here.parts) - len(folder.parts) >= _DEEPEST:
            folders.clear()


def keep_made(folder: Path, source: Path, target: Path) -> None:
    """Give a file or folder that a trainer has made a second name: hard links where the disk allows, else copies.

    Links are followed within ``folder`` alone, and nothing is opened that is no file.

    Raises:
        RefusedFileError: a file is refused; see `open_made`.
        OSError: the target exists, or cannot be written.
    """
    if source.is_dir():
        target.mkdir()
        for file in files_below(source):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)  # not of a study: below the folder that was just made
            keep_made(folder, file, place)
        return
    with open_made(folder, source) as stream:
        opened = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY)
        try:
            # Only with a folder does Python follow: what was opened gets the name, whatever has its old name by now.
            os.link(str(stream.fileno()), target, src_dir_fd=opened, follow_symlinks=True)
        except OSError:  # another file system, or one without hard links
            with target.open("xb") as copy:
                shutil.copyfileobj(stream, copy)
            shutil.copystat(f"/proc/self/fd/{stream.fileno()}", target)
        finally:
            os.close(opened)


def set_aside(place: Path, *, is_folder: bool = False) -> list[str]:
    """Rename what a trainer has put in the place of a file or folder of ours, and is none: a pipe as ``result.json``.

    Returns:
        What was done, as part of a sentence; nothing where nothing is there, or what belongs there.

    Raises:
        OSError: it cannot be renamed, or its folder is no longer that of the study which this process holds.
    """
    try:
        mode = (place.stat() if is_folder else place.lstat()).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return []
    if stat.S_ISDIR(mode) if is_folder else stat.S_ISREG(mode):
        return []
    require_held(place.parent)
    names = (f"{place.stem}.own{number or ''}{place.suffix}" for number in count())
    taken = {entry.name for entry in place.parent.iterdir()}
    own = place.with_name(next(name for name in names if name not in taken))
    place.rename(own)
    found = "a link" if stat.S_ISLNK(mode) else kind_of(mode) or "a file"
    return [f"{found} in the place of {place.name} is {own.name} now"]


def sha256_of(path: Path, *, is_made: bool = True) -> str | None:
    """Return the SHA-256 of a file, or of the names and contents of all files of a folder; None if it is unreadable.

    Of what a trainer has made, nothing outside the folder is read; weights of the user may be links to anywhere.
    """
    try:
        if not path.is_dir():
            return _digest(path, path.parent if is_made else None).hex()
        digest = hashlib.sha256()
        for file in sorted(file for file in files_below(path) if file.is_file()):
            digest.update(str(file.relative_to(path)).encode())
            digest.update(_digest(file, path if is_made else None))
    except OSError:
        return None
    return digest.hexdigest()


def refuse(folder: Path, file: Path, problem: str) -> str:
    """Remember why a file below a folder that a trainer has made is not used, unless a reason is known; return that."""
    shown = str(file.relative_to(folder.parent) if file.is_relative_to(folder.parent) else file)
    text = f"{one_line(shown)} was not read: it {problem}"
    return _refused.setdefault(file, text) if len(_refused) < _MOST_REMEMBERED else text


def refusals(folder: Path) -> list[str]:
    """Return what was refused below a folder since the last call, one sentence for each file."""
    return [_refused.pop(file) for file in tuple(_refused) if file.is_relative_to(folder)]


def _digest(file: Path, folder: Path | None) -> bytes:
    with open_regular(file) if folder is None else open_made(folder, file) as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _problem(folder: Path, found: int, most_bytes: int | None) -> str | None:
    status = os.fstat(found)
    if (kind := kind_of(status.st_mode)) is not None:
        return f"is {kind}"
    real = Path(f"/proc/self/fd/{found}").readlink()
    if not real.is_relative_to(followed(folder)):
        return "is a link to a file outside the folder of its trial"
    if most_bytes is not None and status.st_size > most_bytes:
        return f"has {status.st_size} bytes, more than {most_bytes}"
    return None


def _holes(opened: int) -> int:
    """Return how many bytes of a file were never written, where they are nearly all of it; else 0.

    A file system that cannot tell shows everything as written. Few extents are asked for: a file has millions at most.
    """
    size = os.fstat(opened).st_size
    if size <= _MOST_HOLES:
        return 0
    end = data = 0
    with contextlib.suppress(OSError):  # nothing is written behind the last hole
        for _ in range(_MOST_EXTENTS):
            if data * _HOLES_PER_DATA > size:
                break
            begin = os.lseek(opened, end, os.SEEK_DATA)
            end = os.lseek(opened, begin, os.SEEK_HOLE)
            data += end - begin
        end = size
    os.lseek(opened, 0, os.SEEK_SET)
    return size - data if end < size else 0


def _refusal(folder: Path, file: Path, problem: str) -> RefusedFileError:
    return RefusedFileError(errno.EPERM, refuse(folder, file, problem))
