"""The supervisor of one container: creates it, reports its end, and removes it on request or when its owner is gone.

A container is a child of its engine and outlives the process that asked for it. An attached client writes the log while
it runs; `inspect` says how it ended before it is removed. If the supervisor is killed, the owner removes the container;
if both are, the next start of the study does, by the label (see `automl.launch.engine`).

The protocol is that of `automl.launch.supervisor`; the first process is None where it cannot be seen from here, and the
last message also has what else ended the container, if something did (`ExternalEnd`). Needs no installed package.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.launch.control import redirect
from automl.launch.processes import die_with_parent, has_tag
from automl.regular_file import followed, reopened
from automl.storage.deletion import delete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.launch.control import ControlSocket

_OUT_OF_MEMORY = "the engine ended the container for using more memory than its limit"
_CLIENT_LIMIT_S = 120.0
_DEATH_LIMIT_S = 5.0
"""How long a killed container may take to end before it is removed by force."""
_ENGINE_LIMIT_S = 60.0
"""How long the supervisor retries to remove a container whose engine does not answer, after it has reported the end."""
_START_PAUSE_S = 0.3
"""How long the first process of a container may take to start the program where it cannot be seen from here."""
_START_LIMIT_S = 20.0
"""The same where it can be seen: a busy machine."""
_INSPECT_PAUSE_S = 0.02
_SETTLE_LIMIT_S = 2.0
_NEVER = "0001-01-01"
_SIGNAL_BASE = 128
_KILLED = _SIGNAL_BASE + int(signal.SIGKILL)
_NOT_FOUND = 127
_TAIL_BYTES = 4096
_LOG = 1
"""The log as `redirect` opened it: a trainer that removes its folder removes its name too."""
_INIT_ERRORS = ("[FATAL tini", "ERROR (catatonit")
"""What the first processes of Docker and Podman print when they cannot start the program."""


def call_client(
    program: str, *arguments: str, limit_s: float | None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run an engine's client; one that cannot be started or does not end in time has status 1 and the reason on stderr.

    Its environment is by default that of this process.
    """
    try:
        return subprocess.run(  # noqa: S603 # the engine's client with an argument list
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return subprocess.CompletedProcess(arguments, 1, "", str(error))


class ContainerSupervisor:
    """Runs one container and removes it.

    Args:
        control: The socket to the owner.
        request: ``program`` and ``environment`` of the engine's client; its arguments that ``create`` and ``remove``
            the container; whether its first process is the engine's own (``has_init``); its ``name`` and ``tag``;
            ``directory`` and ``log`` of the trial; folders to remove (``scratch``); and whether a kill from outside
            means that it has exceeded its memory (``is_killed_for_memory``).
    """

    def __init__(self, control: ControlSocket, request: dict[str, Any]) -> None:
        self._control = control
        self._request = request
        self._name: str = request["name"]
        self._log = Path(request["log"])
        self._is_gone = False
        self._kill_at_s: float | None = None

    def run(self) -> None:
        """Serve the owner until the container is gone."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Only the control socket ends it. A handler, unlike SIG_IGN, is not inherited by the clients.
            signal.signal(number, lambda *_: None)
        try:
            redirect(self._request)
            end = self._run_container()
        except OSError as error:
            end = {"error": f"{error}", "failure": "infrastructure"}
        self._remove()
        for folder in self._request["scratch"]:
            with contextlib.suppress(OSError):
                delete(Path(folder), inside=followed(Path(self._request["directory"])))
        self._control.report(end)
        deadline_s = time.monotonic() + _ENGINE_LIMIT_S
        while not self._is_gone and time.monotonic() < deadline_s:
            time.sleep(0.5)
            self._remove()

    def _run_container(self) -> dict[str, object]:
        error = self._create()
        if error:
            return {"error": error, "failure": "engine"}
        size = os.fstat(_LOG).st_size
        with subprocess.Popen(  # noqa: S603 # the engine's client with an argument list
            [self._request["program"], "start", "--attach", self._name],
            env=self._request["environment"],
            start_new_session=True,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),  # noqa: PLW1509 # this process has one thread
        ) as client:
            try:
                state = self._await_start(client)
                error = self._start_error(state, client.poll(), size)
                if error:
                    return {"error": error, "failure": "engine"}
                self._control.report({"started": self._own_pid(state)})
                self._watch(client)
                return self._end()
            finally:
                client.kill()

    def _create(self) -> str:
        """Create the container; return the reason if that fails."""
        done = self._call("create", *self._request["create"])
        if "already in use" in done.stderr:
            # An earlier start of this trial, e.g. by hand, has left it.
            self._call(*self._request["remove"])
            done = self._call("create", *self._request["create"])
        if done.returncode == 0:
            return ""
        return " ".join(done.stderr.split()) or f"the engine's client ended with status {done.returncode}"

    def _await_start(self, client: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Wait until the container runs, has failed to, or is to be killed; return its state."""
        state: dict[str, Any] = {}
        while client.poll() is None:
            state = self._inspect()
            if _has_started(state):
                if self._request["has_init"]:
                    self._await_program(client, self._own_pid(state))
                break
            if self._is_ordered(_INSPECT_PAUSE_S):
                break
        return state if client.poll() is None else self._inspect()

    def _await_program(self, client: subprocess.Popen[bytes], pid: int | None) -> None:
        """Wait until the first process, which is the engine's own, has started the program or failed to."""
        deadline_s = time.monotonic() + (_START_PAUSE_S if pid is None else _START_LIMIT_S)
        while client.poll() is None and time.monotonic() < deadline_s:
            if (pid is not None and _has_program(pid)) or self._is_ordered(_INSPECT_PAUSE_S):
                return

    def _is_ordered(self, wait_s: float) -> bool:
        """Wait for an order of the owner; return whether there was one."""
        if not select.select([self._control], [], [], wait_s)[0]:
            return False
        self._control.read_orders(self._order_kill, abandoned_s=0.0)
        return True

    def _own_pid(self, state: dict[str, Any]) -> int | None:
        """Return the number of the container's first process; None if it is of another machine or another user."""
        pid = int(state.get("Pid") or 0)
        return pid if pid and has_tag(pid, self._request["tag"]) else None

    def _start_error(self, state: dict[str, Any], status: int | None, size: int) -> str:
        """Return why a container whose client has ended never ran its program; empty if it did, or still runs.

        The status is that of the client, the size that of the log before the client was started.
        """
        if status is None:
            return ""
        last = self._last_line(size)
        if not _has_started(state):
            return str(state.get("Error") or "") or last or f"the engine's client ended with status {status}"
        return last if status and last.startswith(_INIT_ERRORS) else ""

    def _last_line(self, size: int) -> str:
        """Return the last line of the log behind its first ``size`` bytes."""
        try:
            with reopened(_LOG, self._log) as stream:
                end = stream.seek(0, os.SEEK_END)
                stream.seek(max(size, end - _TAIL_BYTES))
                lines = stream.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _watch(self, client: subprocess.Popen[bytes]) -> None:
        """Wait until the client has ended, and kill the container when it is time."""
        if client.poll() is not None:
            return
        handle = os.pidfd_open(client.pid)
        poller = select.poll()
        for source in (handle, self._control):
            poller.register(source, select.POLLIN)
        while client.poll() is None:
            timeout_s = None if self._kill_at_s is None else self._kill_at_s - time.monotonic()
            if timeout_s is not None and timeout_s <= 0:
                # One call that kills and removes: how it ends does not matter.
                if not self._remove():
                    self._call("kill", "--signal", "KILL", self._name)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(_DEATH_LIMIT_S)
                break
            for descriptor, _ in poller.poll(None if timeout_s is None else max(1.0, 1000 * timeout_s)):
                if descriptor != handle and not self._control.read_orders(self._order_kill, abandoned_s=0.0):
                    poller.unregister(self._control)
        os.close(handle)

    def _order_kill(self, grace_s: float) -> None:
        at_s = time.monotonic() + grace_s
        self._kill_at_s = min(self._kill_at_s or at_s, at_s)
        if grace_s > 0:
            self._call("kill", "--signal", "TERM", self._name)

    def _end(self) -> dict[str, object]:
        """Return how the container ended; the log gets a line where the trainer's last one would mislead."""
        if self._is_gone:
            return {"exit": _SIGNAL_BASE - _KILLED}
        deadline_s = time.monotonic() + _SETTLE_LIMIT_S
        while (state := self._inspect()).get("Running") and time.monotonic() < deadline_s:
            time.sleep(0.05)  # the engine may need a moment to write the end down
        lost = str(state.get("Problem", ""))
        if state.get("Running"):
            lost = "the client that was attached to the container ended"
        status = _KILLED if lost else int(state["ExitCode"])
        if status and self._last_line(0).startswith(_INIT_ERRORS):
            status = _NOT_FOUND
        is_oom = bool(state.get("OOMKilled")) and status != 0
        if status == _KILLED and not lost:
            is_oom = is_oom or self._request["is_killed_for_memory"]
            lost = "the container was killed from outside, and not for its use of memory"
        is_signal = _SIGNAL_BASE < status < _SIGNAL_BASE + signal.NSIG
        exit_status = _SIGNAL_BASE - status if is_signal else status
        was_ordered = self._kill_at_s is not None
        if was_ordered or not (is_oom or lost):
            return {"exit": exit_status}
        reason = _OUT_OF_MEMORY if is_oom else lost
        with contextlib.suppress(OSError):
            os.write(_LOG, f"automl: {reason}\n".encode())
        return {"exit": exit_status, "external_end": {"reason": reason, "is_out_of_memory": is_oom}}

    def _remove(self) -> bool:
        """Remove the container; return False when its engine does not answer."""
        if not self._is_gone:
            done = self._call(*self._request["remove"])
            self._is_gone = done.returncode == 0 or "no such container" in done.stderr.lower()
        return self._is_gone

    def _inspect(self) -> dict[str, Any]:
        """Return the container's state; with the key `Problem` alone when there is none."""
        done = self._call("inspect", "--type", "container", "--format", "{{json .State}}", self._name)
        if done.returncode != 0:
            reason = " ".join(done.stderr.split())
            is_gone = "no such" in reason.lower()
            return {"Problem": "the container was removed from outside" if is_gone else f"the engine is gone: {reason}"}
        state: dict[str, Any] = json.loads(done.stdout)
        return state

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        request = self._request
        return call_client(request["program"], *arguments, limit_s=_CLIENT_LIMIT_S, environment=request["environment"])


def _has_started(state: dict[str, Any]) -> bool:
    return not state.get("StartedAt", _NEVER).startswith(_NEVER)


def _has_program(pid: int) -> bool:
    """Tell whether a first process has a child that is the program: until then the child has its command line."""
    with contextlib.suppress(OSError):
        own = Path(f"/proc/{pid}/cmdline").read_bytes()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return any(Path(f"/proc/{child}/cmdline").read_bytes() != own for child in children)
    return False
