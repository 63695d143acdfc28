"""The owner's side of a supervised trial: a job that is controlled through the socket to its supervisor."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, LaunchFailure
from automl.launch.base import ExternalEnd, Job
from automl.launch.control_socket import ControlSocket
from automl.launch.processes import descendants, end_leftovers, read_process, send_signal

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from automl.launch.base import LaunchRequest

logger = logging.getLogger(__name__)

START_LIMIT_S = 240.0
"""A warm server preloads in 7 s on an idle machine and needed 61 s on a very busy one; beyond this it hangs."""
_KILL_LIMIT_S = 20.0
_DAEMON_LIMIT_S = 60.0


def standard_library_command(module: str) -> tuple[str, ...]:
    """Return the command that runs ``main`` of one of our modules without the packages of this environment.

    -I and -S leave out site-packages, and with it 50 ms; our own package is put behind the standard library.
    """
    code = f"import sys; sys.path.append(sys.argv.pop(1)); from {module} import main; main()"
    return (sys.executable, "-I", "-S", "-c", code, str(Path(__file__).parents[2]))


def start_daemon(
    command: Sequence[str], environment: Mapping[str, str], log: Path | None, *, pass_fds: Sequence[int] = ()
) -> None:
    """Start a program that daemonises itself; returns when the started process has ended.

    Raises:
        LaunchError: it cannot be started, or fails.
    """
    output = os.open(log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        subprocess.run(  # noqa: S603 # our own module, by this very interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            check=True,
            timeout=_DAEMON_LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LaunchError(f"the supervisor of trials could not be started: {error}; see {log or 'its log'}") from error
    finally:
        os.close(output)


class SupervisedJob(Job):
    """A process tree under a supervisor (see `automl.launch.supervisor`).

    Args:
        connection: Connected to the supervisor, which waits for the document.
        request: What is started.
        document: What the supervisor is sent; by default what `automl.launch.supervisor` reads.

    Raises:
        LaunchError: the command could not be started, or the supervisor died.
    """

    def __init__(
        self, connection: socket.socket, request: LaunchRequest, document: dict[str, Any] | None = None
    ) -> None:
        self._connection = connection
        self._program = request.command[0]
        self._tag = request.tag
        self._control = ControlSocket(connection)
        self._status: int | None = None
        self._lock = threading.Lock()
        self.pid = self._start(document or _document(request))
        self._first = None if self.pid is None else read_process(self.pid)

    def _start(self, document: dict[str, Any]) -> int | None:
        self._connection.settimeout(START_LIMIT_S)
        try:
            self._control.send(document)
            message = self._control.receive() or {"error": "its supervisor ended"}
        except (OSError, TimeoutError) as error:
            message = {"error": f"its supervisor did not answer ({error})"}
        if "error" in message:
            self._connection.close()
            reason, failure = message["error"], LaunchFailure(message.get("failure", LaunchFailure.INFRASTRUCTURE))
            raise LaunchError(f"could not start {self._program}: {reason}", failure=failure, output=reason)
        return self._first_process(message)

    def _first_process(self, started: dict[str, Any]) -> int | None:
        """Return the first process of the tree, as the supervisor's first message names it."""
        return int(started["started"])

    def poll(self) -> int | None:
        """Return the exit status (negative for a signal), or None while it runs. Never blocks."""
        with self._lock:
            return self._wait(0.0)

    def wait(self, limit_s: float) -> int | None:
        """Return the exit status as soon as the supervisor sends it, or None after ``limit_s`` seconds."""
        try:
            # Without the lock: another thread may kill meanwhile, and closes the connection.
            select.select([self._connection], [], [], limit_s)
        except (OSError, ValueError):
            logger.debug("the control socket of %s was closed while waiting", self._tag)
        return self.poll()

    def kill(self, *, grace_s: float) -> None:
        """End the whole tree; returns when no process of it lives."""
        with self._lock:
            if self._status is not None:
                return
            try:
                self._control.send({"kill": grace_s})
            except OSError:
                logger.debug("the supervisor of %s is gone", self._tag)
            if self._wait(grace_s + _KILL_LIMIT_S) is None:
                logger.warning("the supervisor of %s does not answer; its processes are ended one by one", self._tag)
                self._lose()

    def _wait(self, limit_s: float) -> int | None:
        """Return the exit status once the supervisor has sent it, or None after ``limit_s`` seconds."""
        deadline_s = time.monotonic() + limit_s
        while self._status is None:
            remaining_s = max(0.0, deadline_s - time.monotonic())
            if not self._control.has_message and not select.select([self._connection], [], [], remaining_s)[0]:
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
                self._connection.close()
            else:
                self._lose()
        return self._status

    def _lose(self) -> None:
        """End what a supervisor that died or hangs has left."""
        self.external_end = ExternalEnd(reason="the supervisor of the trial was lost")
        self._connection.close()
        if self._first is not None and self._first == read_process(self._first.pid):
            for process in (*descendants(self._first.pid), self._first):
                send_signal(process, signal.SIGKILL)
        end_leftovers(self._tag)
        self._status = -int(signal.SIGKILL)


def _document(request: LaunchRequest) -> dict[str, Any]:
    return {
        "command": request.command,
        "directory": str(request.directory),
        "environment": dict(request.environment),
        "log": str(request.log),
    }
