"""The supervisor of one trial: starts it, reports its end, and kills its whole process tree on request or when alone.

A supervisor holds one end of a control socket; the owner of the trial holds the other. Whatever ends the owner, the
kernel closes the socket, and the supervisor ends the tree. It is a subreaper, so no descendant can leave the tree by
starting a new session or by outliving its parent; the tree is gone when the supervisor has no child left. Supervisors
are forked by `automl.launch.fork_server`, ahead of the trial if there is time: a supervisor and the child that will
become the trial then wait for a request, so that no fork of a process with all libraries lies between two trials (20 ms
each, more on a busy machine).

The protocol is one JSON object per line. Owner: the request (`command`, `directory`, `environment`, `log`), later
`{"kill": grace_s}`. Supervisor: `{"started": pid}` or `{"error": text, "failure": LaunchFailure}`, then
`{"exit": status}` after the last process has died. Standard library only, so that a server without preloaded libraries
starts in 60 ms.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from automl.launch.control_socket import ControlSocket
from automl.launch.processes import descendants, die_with_parent, send_signal

if TYPE_CHECKING:
    from collections.abc import Callable

Request = dict[str, Any]

ABANDONED_GRACE_S = 0.5
"""Between SIGTERM and SIGKILL when the owner is gone."""
TAKEN = b"T"
"""What a supervisor answers when it has received a connection."""
LINGER_S = 0.2
"""How long processes that the trainer left behind may take to end by themselves once the trainer has ended."""
_OOM_SCORE = "500"  # the kernel's out-of-memory killer takes the trainer before Ray or the driver
_PROGRAM_ERRORS = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
"""Errors of exec that are about the program; the others are about the machine."""


def redirect(request: Request) -> None:
    """Give this process the working directory, the log and the standard input of the request.

    Raises:
        OSError: the directory or the log cannot be opened.
    """
    os.chdir(request["directory"])
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)


class WakePipe:
    """A pipe that turns readable whenever a child of this process ends."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        # The handler does nothing, but without one the interpreter writes nothing into the pipe.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._read

    def drain(self) -> None:
        """Forget the children that have ended so far."""
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Undo everything, in a forked child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


class _Child(NamedTuple):
    """A forked process that will be the trial: it reads the request, and reports an error or closes its end."""

    pid: int
    request: int
    report: int


class Supervisor:
    """Runs one trial and ends it.

    Args:
        channel: Brings the connection to the owner; its other end is the server's.
        prepare: Called in the forked child. Becomes the trial's program, or returns what the child then runs.
        life: Descriptor that turns readable when the server dies.
    """

    def __init__(self, channel: socket.socket, prepare: Callable[[Request], Callable[[], None]], life: int) -> None:
        self._channel = channel
        self._prepare = prepare
        self._life = life
        self._status: int | None = None
        self._kill_at_s: float | None = None
        self._wake = WakePipe()
        self._poller = select.poll()
        self._child = self._fork_child()

    def run(self) -> None:
        """Wait for a connection and serve it until the tree is gone. Returns in the supervisor, never in the trial."""
        connection = self._wait_for_connection()
        if connection is None:
            return
        self._connection = connection
        self._control = ControlSocket(connection)
        request = self._control.receive()
        if request is None or not self._start(request):
            return
        for descriptor in (self._connection.fileno(), self._wake.fileno(), self._life):
            self._poller.register(descriptor, select.POLLIN)
        pause_s = 0.005
        while not self._reap():
            timeout_s: float | None = None
            if self._kill_at_s is not None:
                timeout_s = self._kill_at_s - time.monotonic()
                if timeout_s <= 0:
                    self._kill_all()
                    timeout_s = pause_s = min(2 * pause_s, 0.1)
            self._wait(timeout_s)
        self._control.report({"exit": self._status if self._status is not None else -int(signal.SIGKILL)})

    def _wait_for_connection(self) -> socket.socket | None:
        """Wait; None if the server or the child ends first. The child then dies with its parent."""
        waiting = select.poll()
        for descriptor in (self._channel.fileno(), self._wake.fileno(), self._life):
            waiting.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in waiting.poll()}
        if self._channel.fileno() not in ready:
            return None
        _, received, _, _ = socket.recv_fds(self._channel, 1, 1)
        with (
            self._channel,
            contextlib.suppress(OSError),
        ):  # a server that has just forked this does not listen
            self._channel.send(TAKEN)
        return socket.socket(fileno=received[0]) if received else None

    def _wait(self, timeout_s: float | None) -> None:
        """Wait for the end of a process or an order, and act on it."""
        for descriptor, _ in self._poller.poll(None if timeout_s is None else max(1.0, 1000 * timeout_s)):
            if descriptor == self._wake.fileno():
                self._wake.drain()
            elif descriptor == self._life:
                self._poller.unregister(self._life)
                self._end(ABANDONED_GRACE_S)
            elif not self._receive_orders():
                self._poller.unregister(self._connection)

    def _start(self, request: Request) -> bool:
        try:
            self._hand_over(request)
        except BrokenPipeError:  # the child was killed while it waited
            os.waitpid(self._child.pid, 0)
            os.close(self._child.report)
            self._child = self._fork_child()
            self._hand_over(request)
        with os.fdopen(self._child.report, "rb") as report:
            error = report.read()
        if error:
            os.waitpid(self._child.pid, 0)
            self._control.report(json.loads(error))
            return False
        self._control.report({"started": self._child.pid})
        return True

    def _hand_over(self, request: Request) -> None:
        with os.fdopen(self._child.request, "wb") as pipe:
            pipe.write(json.dumps(request).encode())

    def _fork_child(self) -> _Child:
        supervisor = os.getpid()
        request_read, request_write = os.pipe()
        report_read, report_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(request_write)
            os.close(report_read)
            self._run_child(supervisor, request_read, report_write)
        os.close(request_read)
        os.close(report_write)
        return _Child(pid, request_write, report_read)

    def _run_child(self, supervisor: int, request_read: int, report: int) -> NoReturn:
        os.setsid()
        die_with_parent(supervisor)
        self._wake.close()
        self._channel.close()
        os.close(self._life)
        with os.fdopen(request_read, "rb") as pipe:
            text = pipe.read()
        if not text:
            os._exit(0)
        request: Request = json.loads(text)
        try:
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
            redirect(request)
        except OSError as error:
            _give_up(report, f"{error.strerror}: {error.filename}", "infrastructure")
        try:
            run = self._prepare(request)
        except OSError as error:
            what = "program" if error.errno in _PROGRAM_ERRORS else "infrastructure"
            _give_up(report, f"{error.strerror}: {request['command'][0]} in {request['directory']}", what)
        os.close(report)
        run()
        raise SystemExit(0)

    def _receive_orders(self) -> bool:
        """Read orders; return False when the owner is gone."""
        kills = self._control.receive_kills()
        for grace_s in [ABANDONED_GRACE_S] if kills is None else kills:
            self._end(grace_s)
        return kills is not None

    def _end(self, grace_s: float) -> None:
        kill_at_s = time.monotonic() + grace_s
        self._kill_at_s = kill_at_s if self._kill_at_s is None else min(self._kill_at_s, kill_at_s)
        if self._status is None and grace_s > 0:
            for number in (signal.SIGTERM, signal.SIGCONT):
                os.killpg(self._child.pid, number)

    def _reap(self) -> bool:
        """Collect dead children; return True when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._child.pid:
                self._status = os.waitstatus_to_exitcode(status)
                linger_until_s = time.monotonic() + LINGER_S
                self._kill_at_s = min(self._kill_at_s or linger_until_s, linger_until_s)

    def _kill_all(self) -> None:
        for process in descendants(os.getpid()):
            send_signal(process, signal.SIGKILL)


def _give_up(report: int, error: str, failure: str) -> NoReturn:
    """End a child that cannot become the trial."""
    os.write(report, json.dumps({"error": error, "failure": failure}).encode())
    os._exit(127)
