"""Where a local Ray keeps its files: sockets in a short folder, logs and spilled objects in the temporary folder.

The path of a socket has at most 107 bytes, and the folder that TMPDIR names may be longer alone. Both folders lie below
one that only its user may open (Ray's default is open to all), and outlive a logout. Their names have the driver's
process id: by it the next start finds what a killed driver has left.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError, Problem
from automl.regular_file import followed

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORT = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108 # a private folder below one of them
_LONGEST_SOCKET = 107
_FILES = "files"
"""Link from the folder of the sockets to that of the files."""


@dataclass(frozen=True, slots=True)
class RayFolders:
    """The folders of one local Ray.

    Attributes:
        sockets: A short path.
        files: Logs, spilled objects and everything else.
    """

    sockets: Path
    files: Path

    def remove(self) -> None:
        """Delete both."""
        for folder in (self.files, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)  # not of a study: Ray's own folder


def make_folders() -> RayFolders:
    """Make the folders of a local Ray.

    Raises:
        LaunchError: see `socket_root`.
        OSError: there is no temporary folder.
    """
    prefix = f"ray-{os.getpid()}-"
    sockets = Path(tempfile.mkdtemp(prefix=prefix, dir=socket_root()))
    files = Path(tempfile.mkdtemp(prefix=prefix, dir=_private(_temporary())))
    (sockets / _FILES).symlink_to(files)
    return RayFolders(sockets, files)


def left_folders() -> Iterator[RayFolders]:
    """Yield the folders of drivers that do not live any more."""
    for root in _roots():
        for folder in root.glob("ray-*-*"):
            owner = folder.name.split("-")[1]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                yield RayFolders(folder, followed(folder / _FILES) if (folder / _FILES).is_symlink() else folder)


def socket_root() -> Path:
    """Return the folder of this user in which the sockets of a Ray have their folders, made if need be.

    Raises:
        LaunchError: there is none in which a socket can be made; with the reason for each.
    """
    reasons = []
    for root in _roots():
        try:
            _private(root.parent)
            _make_socket(root)
        except OSError as error:
            reasons.append(f"{root}: {error.strerror or error}")
        else:
            return root
    expected = f"a folder in which this user can make sockets, whose paths have at most {_LONGEST_SOCKET} bytes"
    fix = "make room in one of them, or set TMPDIR to a short folder of your own"
    problem = Problem(where="TMPDIR", found="; ".join(reasons), expected=expected, fix=fix)
    raise LaunchError("Ray has no place for its sockets", [problem])


def _roots() -> list[Path]:
    return [parent / f"automl-{os.getuid()}" for parent in dict.fromkeys((*_SHORT, _temporary()))]


def _temporary() -> Path:
    """Return the temporary folder; TMPDIR may be relative, which Ray refuses."""
    return Path(tempfile.gettempdir()).absolute()


def _private(parent: Path) -> Path:
    """Make and return the folder of this user below one for all.

    Raises:
        PermissionError: it belongs to somebody else, or is no folder.
        OSError: it cannot be made.
    """
    folder = parent / f"automl-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(0, "it belongs to another user, or is a link")
    folder.chmod(0o700)
    return folder


def _make_socket(root: Path) -> None:
    """Make a socket with the longest path that one of Ray's can have; raises OSError."""
    folder = Path(tempfile.mkdtemp(prefix=f"try-{2**22}-", dir=root))
    try:
        with closing(socket.socket(socket.AF_UNIX)) as trial:
            trial.bind(str(folder / "plasma_store"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # not of a study: made here
