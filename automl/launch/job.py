"""The owner's side of a supervised trial: a job that is controlled through the socket to its supervisor."""

from __future__ import annotations

import logging
import select
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, LaunchFailure
from automl.launch.base import ExternalEnd, Job
from automl.launch.control import ControlSocket
from automl.launch.processes import descendants, end_leftovers, read_process, send_signal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from automl.launch.base import LaunchRequest

logger = logging.getLogger(__name__)

START_LIMIT_S = 240.0
"""A warm server preloads in 7 s on an idle machine and needed 61 s on a very busy one; beyond this it hangs."""
_KILL_LIMIT_S = 20.0


class SupervisedJob(Job):
    """A process tree, or a container, under a supervisor (see `automl.launch.supervisor`).

    Args:
        connection: Connected to the supervisor, which waits for the document.
        request: What is started.
        document: What the supervisor is sent; by default what `automl.launch.supervisor` reads.
        clean_up: Ends what is not a process of this machine, once the supervisor is lost.

    Raises:
        LaunchError: the command could not be started, or the supervisor died.
    """

    def __init__(
        self,
        connection: socket.socket,
        request: LaunchRequest,
        document: dict[str, Any] | None = None,
        clean_up: Callable[[], None] | None = None,
    ) -> None:
        self._tag = request.tag
        self._clean_up = clean_up
        self._control = ControlSocket(connection)
        self._status: int | None = None
        self._lock = threading.Lock()
        document = document or {
            "command": request.command,
            "directory": str(request.directory),
            "environment": dict(request.environment),
            "log": str(request.log),
        }
        connection.settimeout(START_LIMIT_S)
        try:
            self._control.send(document)
            answer = self._control.receive() or {"error": "its supervisor ended"}
        except OSError as error:
            answer = {"error": f"its supervisor did not answer ({error})"}
        if "error" in answer:
            self._control.close()
            reason, failure = answer["error"], LaunchFailure(answer.get("failure", LaunchFailure.INFRASTRUCTURE))
            raise LaunchError(f"could not start {request.command[0]}: {reason}", failure=failure, output=reason)
        self.pid = answer["started"]
        self._first = None if self.pid is None else read_process(self.pid)

    def poll(self) -> int | None:
        """Return the exit status (negative for a signal), or None while it runs. Never blocks."""
        with self._lock:
            return self._wait(0.0)

    def wait(self, limit_s: float) -> int | None:
        """Return the exit status as soon as the supervisor sends it, or None after ``limit_s`` seconds."""
        try:
            # Without the lock: another thread may kill meanwhile, and closes the connection.
            select.select([self._control], [], [], limit_s)
        except (OSError, ValueError):
            logger.debug("the control socket of %s was closed while waiting", self._tag)
        return self.poll()

    def kill(self, *, grace_s: float) -> None:
        """End the whole tree; returns when no process of it lives."""
        with self._lock:
            if self._status is not None:
                return
            self._control.report({"kill": grace_s})
            if self._wait(grace_s + _KILL_LIMIT_S) is None:
                logger.warning("the supervisor of %s does not answer; its processes are ended one by one", self._tag)
                self._lose()

    def _wait(self, limit_s: float) -> int | None:
        """Return the exit status once the supervisor has sent it, or None after ``limit_s`` seconds."""
        deadline_s = time.monotonic() + limit_s
        while self._status is None:
            remaining_s = max(0.0, deadline_s - time.monotonic())
            if not self._control.has_message and not select.select([self._control], [], [], remaining_s)[0]:
                return None
            try:
                message = self._control.receive() or {}
            except OSError:
                message = {}
            if "exit" in message:
                self._status = int(message["exit"])
                self.external_end = ExternalEnd(**message["external_end"]) if "external_end" in message else None
                if self.was_lost:
                    logger.warning("the job %s was lost: %s", self._tag, message["external_end"]["reason"])
                self._control.close()
            else:
                self._lose()
        return self._status

    def _lose(self) -> None:
        """End what a supervisor that died or hangs has left."""
        self.external_end = ExternalEnd(reason="the supervisor of the trial was lost")
        self._control.close()
        if self._clean_up is not None:
            self._clean_up()
        if self._first is not None and self._first == read_process(self._first.pid):
            for process in (*descendants(self._first.pid), self._first):
                send_signal(process, signal.SIGKILL)
        end_leftovers(self._tag)
        self._status = -int(signal.SIGKILL)
