"""The supervisor of one trial: starts it, reports its end, and kills its whole process tree on request or when alone.

Owner and supervisor hold the ends of a control socket. Whatever ends the owner, the kernel closes the socket, and the
supervisor ends the tree. It is a subreaper, so no descendant can leave the tree by starting a new session or by
outliving its parent. A supervisor and the child that will become the trial are forked ahead and wait for a request, so
that no fork of a process with all libraries (20 ms) lies between two trials.

The protocol is one JSON object per line. Owner: perhaps `{"standby": environment}` (see `automl.launch.standby`), the
request (`command`, `directory`, `environment`, `log`), later `{"kill": grace_s}`. Supervisor: `{"started": pid}` or
`{"error": text, "failure": LaunchFailure}`, then `{"exit": status}` after the last process has died. Standard library
only, so that a bare server starts in 60 ms.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from automl.launch.control import ControlSocket, Request, redirect
from automl.launch.processes import descendants, die_with_parent, send_signal

if TYPE_CHECKING:
    from collections.abc import Callable

ABANDONED_GRACE_S = 0.5
"""Between SIGTERM and SIGKILL when the owner is gone."""
LINGER_S = 0.2
"""How long processes that the trainer left behind may take to end by themselves once the trainer has ended."""
_OOM_SCORE = "500"  # the kernel's out-of-memory killer takes the trainer before Ray or the driver
_PROGRAM_ERRORS = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
"""Errors of exec that are about the program; the others are about the machine."""


class WakePipe:
    """A pipe that turns readable whenever a child of this process ends."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # The handler does nothing, but without one the interpreter writes nothing into the pipe.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._read

    def drain(self) -> None:
        """Forget the children that have ended so far; only once it is readable."""
        os.read(self._read, 4096)

    def close(self) -> None:
        """Undo everything, in a forked child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


class Supervisor:
    """Runs one trial and ends it.

    Args:
        channel: Brings the connection to the owner; its other end is the server's and closes when that dies.
        prepare: Called in the forked child. Becomes the trial's program, or returns what the child then runs.
        stand_by: Called in the forked child before, with the variables of the devices that the trial will have.
    """

    def __init__(
        self,
        channel: socket.socket,
        prepare: Callable[[Request], Callable[[], None]],
        stand_by: Callable[[dict[str, str]], None],
    ) -> None:
        self._channel = channel
        self._prepare = prepare
        self._stand_by = stand_by
        self._status: int | None = None
        self._kill_at_s: float | None = None
        self._wake = WakePipe()
        self._poller = select.poll()
        for source in (channel, self._wake):
            self._poller.register(source, select.POLLIN)
        self._fork_child()

    def run(self) -> None:
        """Wait for a connection and serve it until the tree is gone. Returns in the supervisor, never in the trial."""
        if self._channel.fileno() not in dict(self._poller.poll()):
            return  # the child was killed
        _, received, _, _ = socket.recv_fds(self._channel, 1, 1)
        if not received:
            return  # the server has ended; the child dies with its parent
        self._control = ControlSocket(socket.socket(fileno=received[0]))
        request = self._receive_request()
        if request is None:
            return
        if "create" in request:
            self._supervise_container(request)
        elif self._start(request):
            self._supervise_tree()

    def _receive_request(self) -> Request | None:
        """Wait for the request, and let the child stand by where that is asked before; None when none will come."""
        self._poller.register(self._control, select.POLLIN)
        while True:
            ready = () if self._control.has_message else dict(self._poller.poll())
            if self._channel.fileno() in ready:
                return None  # the server has ended
            if self._wake.fileno() in ready:
                self._wake.drain()  # the child was killed: another one is forked for the request
            if self._control.has_message or self._control.fileno() in ready:
                message = self._control.receive()
                if message is None or "standby" not in message:
                    return message
                self._child.report(message)

    def _supervise_container(self, request: Request) -> None:
        from automl.launch.container_supervisor import ContainerSupervisor  # noqa: PLC0415 # where there is a container

        self._child.close()
        os.waitpid(self._pid, 0)
        ContainerSupervisor(self._control, request).run()

    def _supervise_tree(self) -> None:
        self._poller.register(self._control, select.POLLIN)
        pause_s = 0.005
        while not self._reap():
            timeout_s: float | None = None
            if self._kill_at_s is not None:
                timeout_s = self._kill_at_s - time.monotonic()
                if timeout_s <= 0:
                    for process in descendants(os.getpid()):
                        send_signal(process, signal.SIGKILL)
                    timeout_s = pause_s = min(2 * pause_s, 0.1)
            self._wait(timeout_s)
        self._control.report({"exit": self._status if self._status is not None else -int(signal.SIGKILL)})

    def _wait(self, timeout_s: float | None) -> None:
        """Wait for the end of a process or an order, and act on it."""
        for descriptor, _ in self._poller.poll(None if timeout_s is None else max(1.0, 1000 * timeout_s)):
            if descriptor == self._wake.fileno():
                self._wake.drain()
            elif descriptor == self._channel.fileno():
                self._poller.unregister(self._channel)
                self._end(ABANDONED_GRACE_S)
            elif not self._control.read_orders(self._end, abandoned_s=ABANDONED_GRACE_S):
                self._poller.unregister(self._control)

    def _start(self, request: Request) -> bool:
        """Hand the request to the child and report its start; return False if it cannot become the trial."""
        try:
            error = self._hand_over(request)
        except OSError:  # the child was killed while it waited
            os.waitpid(self._pid, 0)
            self._fork_child()
            error = self._hand_over(request)
        if error is not None:
            os.waitpid(self._pid, 0)
        self._control.report(error or {"started": self._pid})
        return error is None

    def _hand_over(self, request: Request) -> dict[str, Any] | None:
        """Send the request; the child answers with an error, or closes its end when it becomes the trial."""
        self._child.send(request)
        return self._child.receive()

    def _fork_child(self) -> None:
        supervisor = os.getpid()
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()
            die_with_parent(supervisor)
            for other in (ours, self._wake, self._channel):
                other.close()
            self._become_trial(ControlSocket(theirs))
        theirs.close()
        self._child = ControlSocket(ours)

    def _become_trial(self, supervisor: ControlSocket) -> NoReturn:
        request = supervisor.receive()
        if request is not None and "standby" in request:
            self._stand_by(request["standby"])
            request = supervisor.receive()
        if request is None:
            os._exit(0)
        try:
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
            redirect(request)
        except OSError as error:
            _give_up(supervisor, f"{error.strerror}: {error.filename}", "infrastructure")
        try:
            run = self._prepare(request)
        except OSError as error:
            what = "program" if error.errno in _PROGRAM_ERRORS else "infrastructure"
            _give_up(supervisor, f"{error.strerror}: {request['command'][0]} in {request['directory']}", what)
        supervisor.close()
        run()
        raise SystemExit(0)

    def _end(self, grace_s: float) -> None:
        kill_at_s = time.monotonic() + grace_s
        self._kill_at_s = min(self._kill_at_s or kill_at_s, kill_at_s)
        if self._status is None and grace_s > 0:
            for number in (signal.SIGTERM, signal.SIGCONT):
                os.killpg(self._pid, number)

    def _reap(self) -> bool:
        """Collect dead children; return True when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)
                linger_until_s = time.monotonic() + LINGER_S
                self._kill_at_s = min(self._kill_at_s or linger_until_s, linger_until_s)


def _give_up(supervisor: ControlSocket, error: str, failure: str) -> NoReturn:
    """End a child that cannot become the trial."""
    supervisor.send({"error": error, "failure": failure})
    os._exit(127)
