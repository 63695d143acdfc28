"""What an owner and its supervisors share: the socket between them, and where the output of a job goes.

Standard library only, as `automl.launch.supervisor`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

Request = dict[str, Any]

_CHUNK_BYTES = 65536


class ControlSocket:
    """One end of the socket between an owner and a supervisor, connected."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""
        self.fileno = connection.fileno
        self.close = connection.close

    @property
    def has_message(self) -> bool:
        """Whether a whole message has been received already, which `select` would not show."""
        return b"\n" in self._pending

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            OSError: the other end is closed.
        """
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def report(self, message: dict[str, Any]) -> None:
        """Send a message to an owner that may have ended."""
        with contextlib.suppress(OSError):
            self.send(message)

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; return None when the other end is closed.

        Raises:
            OSError: the connection broke or timed out.
        """
        while not self.has_message:
            chunk = self._connection.recv(_CHUNK_BYTES)
            if not chunk:
                return None
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def read_orders(self, kill: Callable[[float], None], *, abandoned_s: float) -> bool:
        """Read once what has arrived, and call ``kill`` with the grace in seconds of each order.

        When the owner is gone, ``kill`` is called with ``abandoned_s``, and the result is False.
        """
        try:
            chunk = self._connection.recv(_CHUNK_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            kill(abandoned_s)
            return False
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        for line in lines:
            kill(float(json.loads(line)["kill"]))
        return True


def open_log(path: str | Path, *, is_new: bool = False) -> int:
    """Open a log for appending, readable by its owner only; return its descriptor.

    Args:
        path: Of the log.
        is_new: No run has written to it before, so it is no second name of another file.

    Raises:
        OSError: it cannot be opened, or a trainer has put something else than a file in its place.
    """
    # Without waiting: nobody reads a named pipe that a trainer has left.
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(log).st_mode) and str(path) != os.devnull:
        os.close(log)
        raise FileExistsError(errno.EEXIST, "the log is no file", str(path))
    if is_new and os.fstat(log).st_nlink > 1:
        os.close(log)
        raise FileExistsError(errno.EEXIST, "the log is a second name of another file", str(path))
    os.set_blocking(log, True)
    return log


def redirect(request: Request) -> None:
    """Give this process the working directory, the log and the standard input of the request.

    Raises:
        OSError: the directory or the log cannot be opened.
    """
    os.chdir(request["directory"])
    null, log = os.open(os.devnull, os.O_RDONLY), open_log(request["log"], is_new=request["log"] != os.devnull)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
