"""A lease on a trial: a socket whose one end wants the trial and whose other end watches over it.

Whatever ends the process of one end, the kernel closes the socket, and the other end knows. What passes is one JSON
object per line (see `automl.launch.supervisor`). Standard library only: watchdogs start in 60 ms.
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
        connection: Connected; closed by its owner.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""

    @property
    def has_message(self) -> bool:
        """Whether a whole message has been read already and waits here, where `select` does not see it."""
        return b"\n" in self._pending

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            OSError: the other end is gone.
        """
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def report(self, message: dict[str, Any]) -> None:
        """Send a message that nobody may be left to read."""
        with contextlib.suppress(OSError):
            self.send(message)

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; return None when the other end is gone.

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
        """Read what is there, once: the grace in seconds of each order to kill; None when the owner is gone."""
        try:
            chunk = self._connection.recv(_CHUNK_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            return None
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        return [float(json.loads(line)["kill"]) for line in lines]
