"""The watchdog of one trial: starts it, reports its end, and kills its whole process tree when told or when left alone.

A guard holds a lease, the other end of a socket in the process that wants the trial. Whatever ends that process, the
kernel closes the socket, and the guard ends the tree. It is a subreaper, so no descendant can leave the tree by
starting a new session or by outliving its parent; the tree is gone when the guard has no child left. Guards are forked
twice: Ray kills the direct children of a worker, and a watchdog among them would die first.

The protocol is one JSON object per line. Owner: the request (`command`, `directory`, `environment`, `log`), later
`{"kill": grace_s}`. Guard: `{"started": pid}` or `{"error": text}`, then `{"exit": status}` after the last process has
died. Standard library only: this file is also run as a script, isolated, to start in about 15 ms.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Request = dict[str, Any]

ABANDONED_GRACE_S = 0.5
"""Between SIGTERM and SIGKILL when the owner is gone."""
LINGER_S = 0.2
"""How long what the trainer left behind may take to leave by itself once the trainer has ended."""
_OOM_SCORE = "500"  # the kernel's out-of-memory killer takes the trainer before Ray or the driver
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_START_TIME_FIELD = 19  # of /proc/PID/stat, counted after the closing bracket of the name
_DEFAULTED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)

_libc = ctypes.CDLL(None, use_errno=True)


class Process(NamedTuple):
    """A line of the process table; `start` (clock ticks since boot) tells a process from a later one of the same id."""

    pid: int
    parent: int
    start: int


def become_subreaper() -> None:
    """Make orphaned descendants children of this process instead of the machine's first process."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; exit at once if it is dead already."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def read_process(pid: int) -> Process | None:
    """Read one line of the process table; None if there is no such process any more."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[_START_TIME_FIELD]))


def read_processes() -> dict[int, Process]:
    """Read the process table once."""
    entries = (read_process(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 # names only
    return {process.pid: process for process in entries if process is not None}


def descendants(root: int, *, spare: Iterable[int] = ()) -> list[Process]:
    """Return the processes below ``root`` by one reading of the table; ``spare`` and what lies below it are left out.

    One reading, because two readings of a changing table can join a healthy process to a tree it is not part of.
    """
    children: dict[int, list[Process]] = {}
    for process in read_processes().values():
        children.setdefault(process.parent, []).append(process)
    spared = set(spare)
    found: list[Process] = []
    pending = [root]
    while pending:
        below = [child for child in children.get(pending.pop(), ()) if child.pid not in spared]
        found += below
        pending += [child.pid for child in below]
    return found


def send_signal(process: Process, number: signal.Signals) -> None:
    """Signal a process that was read from the table, never another one that took over its id."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        now = read_process(process.pid)
        if now is not None and now.start == process.start:
            signal.pidfd_send_signal(handle, number)
    except OSError:
        return
    finally:
        os.close(handle)


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


def execute(request: Request, started: Callable[[], None]) -> None:
    """Become the command of the request; the pipe of ``started`` closes by itself on success."""
    del started
    redirect(request)
    for number in _DEFAULTED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(request["command"][0], request["command"], request["environment"])  # noqa: S606 # the point


class Guard:
    """Runs one trial and ends it.

    Args:
        connection: The lease; the request comes through it.
        body: Runs the trial in the forked child: becomes another program, or calls the second argument and goes on.
        life: File descriptor that turns readable when a second owner, the warm server, dies; -1 for none.
    """

    def __init__(
        self, connection: socket.socket, body: Callable[[Request, Callable[[], None]], None], life: int = -1
    ) -> None:
        self._connection = connection
        self._body = body
        self._life = life
        self._root = 0
        self._status: int | None = None
        self._kill_at_s: float | None = None
        self._pending = b""
        self._wake, wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve the connection until the tree is gone."""
        request = self._receive_request()
        if request is None or not self._start(request):
            return
        poller = select.poll()
        for descriptor in (self._connection.fileno(), self._wake, self._life):
            if descriptor >= 0:
                poller.register(descriptor, select.POLLIN | select.POLLHUP)
        pause_s = 0.005
        while not self._reap():
            timeout_ms = None
            if self._kill_at_s is not None:
                remaining_s = self._kill_at_s - time.monotonic()
                if remaining_s <= 0:
                    self._kill_all()
                    remaining_s = pause_s = min(2 * pause_s, 0.1)
                timeout_ms = max(1.0, 1000 * remaining_s)
            ready = {descriptor for descriptor, _ in poller.poll(timeout_ms)}
            if self._wake in ready:
                os.read(self._wake, 4096)
            if self._connection.fileno() in ready and not self._receive_orders():
                poller.unregister(self._connection)
            if self._life in ready:
                poller.unregister(self._life)
                self._end(ABANDONED_GRACE_S)
        self._send({"exit": self._status if self._status is not None else -int(signal.SIGKILL)})

    def _receive_request(self) -> Request | None:
        while b"\n" not in self._pending:
            chunk = self._connection.recv(65536)
            if not chunk:
                return None
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        request: Request = json.loads(line)
        return request

    def _start(self, request: Request) -> bool:
        guard = os.getpid()
        report_read, report_write = os.pipe()
        self._root = os.fork()
        if self._root == 0:
            self._run_child(request, guard, report_write)
        os.close(report_write)
        with os.fdopen(report_read, "rb") as report:
            error = report.read()
        if error:
            os.waitpid(self._root, 0)
            self._send({"error": error.decode("utf-8", "replace")})
            return False
        self._send({"started": self._root})
        return True

    def _run_child(self, request: Request, guard: int, report: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            die_with_parent(guard)
            self._connection.close()
            os.close(self._wake)
            if self._life >= 0:
                os.close(self._life)
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
            self._body(request, lambda: os.close(report))
        except OSError as error:
            os.write(report, f"{error.strerror}: {error.filename or request['command'][0]}".encode())
            os._exit(127)

    def _receive_orders(self) -> bool:
        """Read orders; return False when the owner is gone."""
        try:
            chunk = self._connection.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            self._end(ABANDONED_GRACE_S)
            return False
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        for line in lines:
            self._end(float(json.loads(line)["kill"]))
        return True

    def _end(self, grace_s: float) -> None:
        kill_at_s = time.monotonic() + grace_s
        self._kill_at_s = kill_at_s if self._kill_at_s is None else min(self._kill_at_s, kill_at_s)
        if self._status is None and grace_s > 0:
            for number in (signal.SIGTERM, signal.SIGCONT):
                os.killpg(self._root, number)

    def _reap(self) -> bool:
        """Collect dead children; return True when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._root:
                self._status = os.waitstatus_to_exitcode(status)
                linger_until_s = time.monotonic() + LINGER_S
                self._kill_at_s = min(self._kill_at_s or linger_until_s, linger_until_s)

    def _kill_all(self) -> None:
        for process in descendants(os.getpid()):
            send_signal(process, signal.SIGKILL)

    def _send(self, message: dict[str, object]) -> None:
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return


def main() -> None:
    """Guard the request that comes through the socket whose descriptor is the only argument."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    if os.fork():
        os._exit(0)
    connection.set_inheritable(False)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    become_subreaper()
    Guard(connection, execute).run()


if __name__ == "__main__":
    main()
