"""The owner's side of a guarded trial: a job whose lease is an open socket to its guard."""

from __future__ import annotations

import logging
import select
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError
from automl.launch.base import Job
from automl.launch.control_socket import ControlSocket
from automl.launch.processes import end_leftovers

if TYPE_CHECKING:
    import socket

    from automl.launch.base import LaunchRequest

logger = logging.getLogger(__name__)

START_LIMIT_S = 240.0
"""A warm server preloads in 7 s on an idle machine and needed 61 s on a very busy one; beyond this it hangs."""
_KILL_LIMIT_S = 20.0


class SupervisedJob(Job):
    """A process tree under a guard (see `automl.launch.supervisor`).

    Args:
        connection: Connected to the guard, which waits for the request.
        request: What it shall start.

    Raises:
        LaunchError: the command could not be started, or the guard died.
    """

    def __init__(self, connection: socket.socket, request: LaunchRequest) -> None:
        self._connection = connection
        self._tag = request.tag
        self._lease = ControlSocket(connection)
        self._status: int | None = None
        self._lock = threading.Lock()
        self.pid = self._start(request)

    def describe(self, request: LaunchRequest) -> dict[str, Any]:
        """Return what the guard is sent."""
        return {
            "command": request.command,
            "directory": str(request.directory),
            "environment": dict(request.environment),
            "log": str(request.log),
        }

    def first_process(self, message: dict[str, Any]) -> int | None:
        """Return the first process of the tree, as the guard's first message names it."""
        return int(message["started"])

    def _start(self, request: LaunchRequest) -> int | None:
        self._connection.settimeout(START_LIMIT_S)
        try:
            self._lease.send(self.describe(request))
            message = self._lease.receive() or {}
        except (OSError, TimeoutError) as error:
            self._connection.close()
            raise LaunchError(f"could not start {request.command[0]}: its guard did not answer ({error})") from error
        if "started" not in message:
            self._connection.close()
            raise LaunchError(f"could not start {request.command[0]}: {message.get('error', 'its guard died')}")
        return self.first_process(message)

    def poll(self) -> int | None:
        """Return the exit status (negative for a signal), or None while it runs. Never blocks."""
        with self._lock:
            return self._wait(0.0)

    def wait(self, limit_s: float) -> int | None:
        """Return the exit status as soon as the guard sends it, or None after ``limit_s`` seconds."""
        try:
            # Without the lock: another thread may kill meanwhile, and closes the connection.
            select.select([self._connection], [], [], limit_s)
        except (OSError, ValueError):
            logger.debug("the connection to the guard of %s was closed while waiting", self._tag)
        return self.poll()

    def kill(self, *, grace_s: float) -> None:
        """End the whole tree; returns when no process of it lives."""
        with self._lock:
            if self._status is not None:
                return
            try:
                self._lease.send({"kill": grace_s})
            except OSError:
                logger.debug("the guard of %s is gone", self._tag)
            if self._wait(grace_s + _KILL_LIMIT_S) is None:
                logger.warning("the guard of %s does not answer; its processes are ended one by one", self._tag)
                self._lose()

    def _wait(self, limit_s: float) -> int | None:
        """Return the exit status once the guard has sent it, or None after ``limit_s`` seconds."""
        deadline_s = time.monotonic() + limit_s
        while self._status is None:
            remaining_s = max(0.0, deadline_s - time.monotonic())
            if not self._lease.has_message and not select.select([self._connection], [], [], remaining_s)[0]:
                return None
            try:
                message = self._lease.receive() or {}
            except OSError:
                message = {}
            if "exit" in message:
                self._status = int(message["exit"])
                self.was_lost = bool(message.get("lost", False))
                self._connection.close()
            else:
                self._lose()
        return self._status

    def _lose(self) -> None:
        self.was_lost = True
        self._connection.close()
        end_leftovers(self._tag)
        self._status = -int(signal.SIGKILL)
