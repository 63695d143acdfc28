"""The supervisor of one container: creates it, reports its end, and removes it on request or when its owner is gone.

A container is a child of its engine and outlives the process that asked for it. Its supervisor holds one end of a
control socket, the owner the other. Whatever ends the owner, the kernel closes the socket, and the supervisor kills and
removes the container. An attached client writes the log while the container runs; `inspect` says how it ended before it
is removed. If the supervisor is killed, the owner removes the container; if both are, the next start of the study does,
by the label (see `automl.launch.engine`).

The protocol is that of `automl.launch.supervisor`; the last message also has what else ended the container, if
something did (`ExternalEnd`). Standard library only, so that it starts in 60 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.launch.control_socket import ControlSocket
from automl.launch.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

_OUT_OF_MEMORY = "the engine ended the container for using more memory than its limit"
_CLIENT_LIMIT_S = 120.0
_DEATH_LIMIT_S = 5.0
"""How long a killed container may take to end before it is removed by force."""
_ENGINE_LIMIT_S = 60.0
"""How long the supervisor retries to remove a container whose engine does not answer, after it has reported the end."""
_START_PAUSE_S = 0.3
_INSPECT_PAUSE_S = 0.02
_SETTLE_LIMIT_S = 2.0
_NEVER = "0001-01-01"
_SIGNAL_BASE = 128
_NOT_FOUND = 127
_TAIL_BYTES = 4096
_INIT_ERRORS = ("[FATAL tini", "ERROR (catatonit")
"""What the first processes of Docker and Podman print when they cannot start the program."""


def call_client(
    program: str, *arguments: str, limit_s: float | None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run an engine's client; one that cannot be started or does not end in time has status 1 and the reason on stderr.

    Args:
        program: The client.
        arguments: Its arguments.
        limit_s: Seconds it may take; None for no limit.
        environment: The client's whole environment; by default that of this process.
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
        connection: The control socket; the request arrives on it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._control = ControlSocket(connection)
        self._program = self._name = ""
        self._environment: dict[str, str] = {}
        self._log = Path(os.devnull)
        self._was_killed = False
        self._is_killed_for_memory = False
        self._is_gone = False
        self._removal: list[str] = []
        self._kill_at_s: float | None = None
        self._give_up_at_s: float | None = None

    def run(self) -> None:
        """Serve the connection until the container is gone."""
        request = self._control.receive()
        if request is None:
            return
        self._program, self._name = request["program"], request["name"]
        self._removal = request["remove"]
        self._is_killed_for_memory = request["is_killed_for_memory"]
        self._environment, self._log = request["environment"], Path(request["log"])
        end: dict[str, object]
        try:
            end = self._run_container(request["create"])
        except OSError as error:
            end = {"error": f"{error}", "failure": "infrastructure"}
        is_gone = self._remove()
        for folder in request["scratch"]:
            shutil.rmtree(folder, ignore_errors=True)
        self._control.report(end)
        deadline_s = time.monotonic() + _ENGINE_LIMIT_S
        while not is_gone and time.monotonic() < deadline_s:
            time.sleep(0.5)
            is_gone = self._remove()

    def _run_container(self, create: list[str]) -> dict[str, object]:
        error = self._create(create)
        if error:
            return {"error": error, "failure": "engine"}
        size = self._log.stat().st_size if self._log.exists() else 0
        with subprocess.Popen(  # noqa: S603 # the engine's client with an argument list
            [self._program, "start", "--attach", self._name],
            stdin=subprocess.DEVNULL,
            stdout=(log := self._open_log()),
            stderr=log,
            env=self._environment,
            start_new_session=True,
            preexec_fn=_follow_parent(),  # noqa: PLW1509 # this process has one thread
        ) as client:
            os.close(log)
            try:
                state = self._await_start(client)
                if client.poll() is not None and (error := self._start_error(state, client.returncode, size)):
                    return {"error": error, "failure": "engine"}
                self._control.report({"started": client.pid, "root": int(state.get("Pid") or 0)})
                self._watch(client)
                return self._end()
            finally:
                client.kill()

    def _create(self, create: list[str]) -> str:
        """Create the container; return the reason if that fails."""
        done = self._call("create", *create)
        if "already in use" in done.stderr:
            # An earlier start of this trial, e.g. by hand, has left it.
            self._call(*self._removal)
            done = self._call("create", *create)
        if done.returncode == 0:
            return ""
        return " ".join(done.stderr.split()) or f"the engine's client ended with status {done.returncode}"

    def _await_start(self, client: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Wait until the container runs, has failed to, or is to be killed; return its state."""
        while True:
            state = self._inspect()
            if client.poll() is not None:
                return self._inspect()
            if not state.get("StartedAt", _NEVER).startswith(_NEVER):
                # The first process is the engine's own and may fail to start the program.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(_START_PAUSE_S)
                return state if client.poll() is None else self._inspect()
            if select.select([self._connection], [], [], _INSPECT_PAUSE_S)[0]:
                self._receive_orders()
                return state

    def _start_error(self, state: dict[str, Any], status: int, size: int) -> str:
        """Return why a container whose client has ended never ran its program; empty if it did."""
        last = self._last_line(size)
        if state.get("StartedAt", _NEVER).startswith(_NEVER):
            return str(state.get("Error") or "") or last or f"the engine's client ended with status {status}"
        return last if status and last.startswith(_INIT_ERRORS) else ""

    def _last_line(self, size: int) -> str:
        """Return the last line of the log behind its first ``size`` bytes."""
        try:
            with self._log.open("rb") as stream:
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
        for descriptor in (handle, self._connection.fileno()):
            poller.register(descriptor, select.POLLIN)
        try:
            while client.poll() is None and not self._has_killed():
                wake_s = self._kill_at_s if self._give_up_at_s is None else self._give_up_at_s
                timeout = None if wake_s is None else max(1.0, 1000 * (wake_s - time.monotonic()))
                for descriptor, _ in poller.poll(timeout):
                    if descriptor != handle and not self._receive_orders():
                        poller.unregister(self._connection)
        finally:
            os.close(handle)

    def _has_killed(self) -> bool:
        """Kill the container when it is time; return True if its end has not been seen within `_DEATH_LIMIT_S`."""
        now_s = time.monotonic()
        if self._give_up_at_s is not None:
            return now_s >= self._give_up_at_s
        if self._kill_at_s is not None and now_s >= self._kill_at_s:
            # One call that kills and removes: how it ends does not matter.
            if not self._remove():
                self._kill("KILL")
            self._give_up_at_s = time.monotonic() + _DEATH_LIMIT_S
        return False

    def _receive_orders(self) -> bool:
        """Read orders; return False when the owner is gone."""
        kills = self._control.receive_kills()
        for grace_s in [0.0] if kills is None else kills:
            self._order_kill(grace_s)
        return kills is not None

    def _order_kill(self, grace_s: float) -> None:
        at_s = time.monotonic() + grace_s
        self._kill_at_s = at_s if self._kill_at_s is None else min(at_s, self._kill_at_s)
        self._was_killed = True
        if grace_s > 0:
            self._kill("TERM")

    def _kill(self, name: str) -> None:
        # The result does not matter: the attached client shows the end of the container.
        self._call("kill", "--signal", name, self._name)

    def _end(self) -> dict[str, object]:
        """Return how the container ended; the log gets a line where the trainer's last one would mislead."""
        killed = _SIGNAL_BASE + int(signal.SIGKILL)
        if self._is_gone:
            return {"exit": _SIGNAL_BASE - killed}
        state = self._final_state()
        lost = str(state.get("Problem", ""))
        if state.get("Running"):
            lost = "the client that was attached to the container ended"
        status = killed if lost else int(state["ExitCode"])
        if status and self._last_line(0).startswith(_INIT_ERRORS):
            status = _NOT_FOUND
        is_oom = bool(state.get("OOMKilled")) and status != 0
        if status == killed and not lost and self._is_killed_for_memory:
            is_oom = True
        if status == killed and not lost and not is_oom:
            lost = "the container was killed from outside, and not for its use of memory"
        if self._was_killed:
            lost, is_oom = "", False
        is_signal = _SIGNAL_BASE < status < _SIGNAL_BASE + signal.NSIG
        exit_status = _SIGNAL_BASE - status if is_signal else status
        if not (is_oom or lost):
            return {"exit": exit_status}
        reason = _OUT_OF_MEMORY if is_oom else lost
        self._note(f"automl: {reason}")
        return {"exit": exit_status, "external_end": {"reason": reason, "is_out_of_memory": is_oom}}

    def _final_state(self) -> dict[str, Any]:
        """Return the state of a container whose client has ended; the engine may need a moment to write it down."""
        deadline_s = time.monotonic() + _SETTLE_LIMIT_S
        while (state := self._inspect()).get("Running") and time.monotonic() < deadline_s:
            time.sleep(0.05)
        return state

    def _remove(self) -> bool:
        """Remove the container; return False when its engine does not answer."""
        if not self._is_gone:
            done = self._call(*self._removal)
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
        return call_client(self._program, *arguments, limit_s=_CLIENT_LIMIT_S, environment=self._environment)

    def _open_log(self) -> int:
        return os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _note(self, line: str) -> None:
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")


def _follow_parent() -> Any:  # noqa: ANN401 # subprocess calls it without arguments
    parent = os.getpid()
    return lambda: die_with_parent(parent)


def main() -> None:
    """Run the container that is requested on the socket whose descriptor is the first argument.

    Daemonised by a fork, because Ray kills the direct children of its workers.
    """
    connection = socket.socket(fileno=int(sys.argv[1]))
    if os.fork():
        os._exit(0)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Only the control socket ends it. A handler, unlike SIG_IGN, is not inherited by the clients.
        signal.signal(number, lambda *_: None)
    ContainerSupervisor(connection).run()


if __name__ == "__main__":
    main()
