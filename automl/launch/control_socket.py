"""The control socket of a trial: one end belongs to the owner that started it, the other to its supervisor.

Whatever ends the process at one end, the kernel closes the socket, and the other end sees it. Messages are one JSON
object per line (see `automl.launch.supervisor`). Standard library only, so that supervisors start in 60 ms.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

_CHUNK_BYTES = 65536


class ControlSocket:
    """One end of the socket.

    Args:
        connection: Connected; closed by the caller.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""

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

    def receive_kills(self) -> list[float] | None:
        """Read once what has arrived: the grace in seconds of each order to kill; None when the owner is gone."""
        try:
            chunk = self._connection.recv(_CHUNK_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            return None
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        return [float(json.loads(line)["kill"]) for line in lines]
