"""The client of a fork server: finds or starts it, holds it, and opens a connection per job."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.server import HOLD, JOB, peer_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

_START_LIMIT_S = 60.0


class ForkServer:
    """A server shared by every process that names the same session.

    Args:
        session: Unguessable name; part of the abstract socket's name.
        command: Starts the server; the socket's name is appended, then ``entry`` if there is one.
        environment: The server's whole environment.
        log: Takes the server's output; None for none.
        entry: Console script to be warm for.
    """

    def __init__(
        self,
        session: str,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
        entry: str | None = None,
    ) -> None:
        self._name = f"automl-{os.getuid()}-{session}"
        self._command = (*command, self._name, *([entry] if entry is not None else []))
        self._environment = environment
        self._log = log
        self._hold: socket.socket | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Hold the server, starting it if it does not run. It may still be preloading when this returns.

        Raises:
            LaunchError: it cannot be started.
        """
        with self._lock:
            if self._hold is not None:
                return
            self._hold = self._try_connect(HOLD)
            if self._hold is None:
                self._spawn()
                self._hold = self._try_connect(HOLD)
            if self._hold is None:
                raise LaunchError(f"the fork server {self._command[0]} ended at once; see {self._log or 'its log'}")

    def connect(self) -> socket.socket:
        """Open the connection of one job.

        Raises:
            LaunchError: the server cannot be started.
        """
        self.start()
        connection = self._try_connect(JOB)
        if connection is None:  # it was killed since; a new one is started
            self.close()
            self.start()
            connection = self._try_connect(JOB)
        if connection is None:
            raise LaunchError("the fork server does not answer")
        return connection

    def close(self) -> None:
        """Let go of the server; it ends when nobody else holds it and no job runs."""
        with self._lock:
            if self._hold is not None:
                self._hold.close()
                self._hold = None

    def _try_connect(self, kind: bytes) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(f"\0{self._name}")
            if peer_user(connection) == os.getuid():
                connection.sendall(kind)
                return connection
            logger.warning("the socket %s belongs to another user; it is not used", self._name)
        except OSError as error:
            logger.debug("no fork server at %s: %s", self._name, error)
        connection.close()
        return None

    def _spawn(self) -> None:
        # The started process binds the socket, forks and leaves: once this returns, the server can be connected to.
        output = os.open(self._log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            subprocess.run(  # noqa: S603 # our own module, by this very interpreter
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self._environment),
                cwd="/",
                start_new_session=True,
                check=True,
                timeout=_START_LIMIT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LaunchError(f"the fork server could not be started: {error}") from error
        finally:
            os.close(output)
