"""The process that forks a supervisor, and under it a trial, for every connection; one supervisor is forked ahead.

Two kinds run: a bare server for any command, and a warm one that has imported a trainer's libraries and forks trials
that need no start-up (see `automl.launch.entry`). The server is daemonised by a double fork, because Ray kills the
direct children of its workers. It listens on an abstract socket, answers its own user only, and lives while a client
holds it (first byte of its connection `H`) or a job runs (`J`; see `automl.launch.supervisor`).

If a supervisor is killed, the server, a subreaper too, inherits its processes and ends them. If the server is killed,
its supervisors see it by their channels and end their trials.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

from automl.launch.processes import become_subreaper, descendants, send_signal
from automl.launch.supervisor import Supervisor, WakePipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.launch.control import Request

HOLD = b"H"
JOB = b"J"
_LINGER_S = 1.0
_SPARE_AFTER_S = 0.3
"""How long after a job the next supervisor is forked: the trial that has just begun needs the processor more."""
_FIRST_CLIENT_LIMIT_S = 60.0
_TICK_MS = 500
_SWEEP_TICK_MS = 20
_DEFAULTED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)


def peer_user(connection: socket.socket) -> int:
    """Return the user id of the process at the other end of a Unix socket."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def execute(request: Request) -> Callable[[], None]:
    """Become the command of the request; never returns.

    Raises:
        OSError: the program cannot be executed.
    """
    for number in _DEFAULTED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(request["command"][0], request["command"], request["environment"])  # noqa: S606 # the point


class Server:
    """Accepts connections and forks supervisors.

    Args:
        listener: Bound and listening.
        prepare: How the forked child becomes the trial (see `Supervisor`).
        stand_by: What it does before.
    """

    def __init__(
        self,
        listener: socket.socket,
        prepare: Callable[[Request], Callable[[], None]],
        stand_by: Callable[[dict[str, str]], None] = lambda _: None,
    ) -> None:
        self._listener = listener
        self._prepare, self._stand_by = prepare, stand_by
        self._connections: dict[int, socket.socket] = {}
        # The server's end of the channel of each; `_spare` is the one that waits for a job.
        self._supervisors: dict[int, socket.socket] = {}
        self._spare: int | None = None
        self._spare_at_s = time.monotonic()
        self._has_strays = False
        self._ends_at_s = time.monotonic() + _FIRST_CLIENT_LIMIT_S
        self._wake = WakePipe()
        self._poller = select.poll()
        for source in (listener, self._wake):
            self._poller.register(source, select.POLLIN)

    def serve(self) -> None:
        """Serve until no client and no job is left. Returns in the server only, never in a supervisor or a trial."""
        while not self._is_over():
            for descriptor, _ in self._poller.poll(_SWEEP_TICK_MS if self._has_strays else _TICK_MS):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == self._wake.fileno():
                    self._wake.drain()
                else:
                    self._read(self._connections[descriptor])
            self._reap()
            if self._has_strays:
                self._end_strays()
            if self._spare is None and time.monotonic() >= self._spare_at_s:
                self._spare = self._fork_supervisor()

    def _is_over(self) -> bool:
        """Tell whether it has not been needed for a while.

        The clock alone never decides: the server may have got no processor since it looked last.
        """
        if self._connections or self._supervisors.keys() - {self._spare}:
            self._ends_at_s = time.monotonic() + _LINGER_S
            return False
        return time.monotonic() >= self._ends_at_s and not self._poller.poll(0)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if peer_user(connection) != os.getuid():
            connection.close()
            return
        self._connections[connection.fileno()] = connection
        self._poller.register(connection, select.POLLIN)

    def _read(self, connection: socket.socket) -> None:
        """Read what a connection is for, or that its owner is gone."""
        try:
            kind = connection.recv(1)
        except OSError:
            kind = b""
        if kind == HOLD:
            return
        self._poller.unregister(connection)
        if kind == JOB:
            self._reap()  # the supervisor that waits may have been killed
            supervisor = self._spare or self._fork_supervisor()
            self._spare, self._spare_at_s = None, time.monotonic() + _SPARE_AFTER_S
            with contextlib.suppress(OSError):  # killed now: the owner sees that its connection is closed
                socket.send_fds(self._supervisors[supervisor], [JOB], [connection.fileno()])
        del self._connections[connection.fileno()]
        connection.close()

    def _fork_supervisor(self) -> int:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid != 0:
            theirs.close()
            self._supervisors[pid] = ours
            return pid
        os.setsid()
        become_subreaper()
        self._wake.close()
        for other in (self._listener, ours, *self._connections.values(), *self._supervisors.values()):
            other.close()
        Supervisor(theirs, self._prepare, self._stand_by).run()
        os._exit(0)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._spare:
                    self._spare, self._spare_at_s = None, time.monotonic() + _SPARE_AFTER_S
                if pid in self._supervisors:
                    self._supervisors.pop(pid).close()
                    self._has_strays = self._has_strays or status != 0

    def _end_strays(self) -> None:
        """End what a killed supervisor has left: what is below this process and below none of its supervisors."""
        strays = descendants(os.getpid(), spare=self._supervisors)
        self._has_strays = bool(strays)
        for stray in strays:
            send_signal(stray, signal.SIGKILL)


def main() -> None:
    """Serve on the abstract socket named by the last argument, warm for the console script named by one before it."""
    *entries, name = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(f"\0{name}")
    except OSError:
        listener.close()
        return  # another client was faster; its server serves both
    listener.listen(64)
    if os.fork():
        os._exit(0)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    become_subreaper()
    if not entries:
        Server(listener, execute).serve()
        return
    from automl.launch.entry import WarmEntry  # noqa: PLC0415 # the bare server starts without it

    entry = WarmEntry(entries[0])
    Server(listener, entry.prepare, entry.stand_by).serve()


if __name__ == "__main__":
    main()
