"""Start trials on this machine, each under its own supervisor, forked by a bare server or by a warm one.

A warm server has imported the trainer already. Only a console script of this environment can be forked from it, and
only if what its interpreter and libraries read at their start (`PYTHON*`, `LD_*`, `HF_*`, ...) is the same for server
and trial. Any other request, and every request after the warm server could not be started, is started by the bare
server: slower, with the same result.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.base import Launcher
from automl.launch.command import bin_directory, locate_program, trial_environment
from automl.launch.control import open_log
from automl.launch.entry import find_entry
from automl.launch.fork_server import HOLD, JOB, peer_user
from automl.launch.job import SupervisedJob
from automl.launch.standby import Standby
from automl.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.launch.base import LaunchRequest

logger = logging.getLogger(__name__)

_READ_AT_START = re.compile(
    r"(?!PYTORCH_NVML)(PYTHON|LD_|HF_|TRANSFORMERS_|TORCH|PYTORCH_|LIGHTNING_|PL_|KMP_|MALLOC_|LC_|LANG).*"
)
_SERVER = "automl.launch.fork_server"
_START_LIMIT_S = 60.0
_LONGEST_SHEBANG = 512
_BARE_VARIABLES = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")


class ForkServerClient:
    """Starts, holds and connects to the server that every process of a session shares.

    Args:
        session: Unguessable; part of the abstract socket's name.
        command: Starts the server; the socket's name is appended.
        environment: The server's whole environment.
        log: Takes the server's output.
    """

    def __init__(
        self,
        session: str,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
    ) -> None:
        self._name = f"automl-{os.getuid()}-{session}"
        self._command = (*command, self._name)
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
            self._hold = self._hold or self._try_connect(HOLD)
            if self._hold is None:
                # The started process binds the socket before it forks: then the server can be connected to.
                self._start_daemon()
                self._hold = self._try_connect(HOLD)
            if self._hold is None:
                raise LaunchError(f"the fork server {self._command[0]} ended at once; see {self._log or 'its log'}")

    def connect(self) -> socket.socket:
        """Open the connection of one job.

        Raises:
            LaunchError: the server cannot be started.
        """
        for _ in range(2):
            self.start()
            connection = self._try_connect(JOB)
            if connection is not None:
                return connection
            self.close()  # it was killed since; a new one is started
        raise LaunchError("the fork server does not answer")

    def close(self) -> None:
        """Let go of the server; it ends when no other client holds it and no job runs."""
        with self._lock:
            if self._hold is not None:
                self._hold.close()
                self._hold = None

    def _start_daemon(self) -> None:
        output = open_log(self._log or os.devnull)
        try:
            subprocess.run(  # noqa: S603 # our own module, by this very interpreter
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                cwd="/",
                start_new_session=True,
                check=True,
                timeout=_START_LIMIT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            headline = f"the supervisor of trials could not be started: {error}; see {self._log or 'its log'}"
            raise LaunchError(headline) from error
        finally:
            os.close(output)

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


class LocalLauncher(Launcher):
    """Starts each command in a fresh process tree of its own session."""

    def __init__(self) -> None:
        # -I and -S leave out site-packages, and with it 50 ms; our own package is put behind the standard library.
        code = f"import sys; sys.path.append(sys.argv.pop(1)); from {_SERVER} import main; main()"
        self._server = ForkServerClient(
            secrets.token_hex(16),
            command=(sys.executable, "-I", "-S", "-c", code, str(Path(__file__).parents[2])),
            environment={name: os.environ[name] for name in _BARE_VARIABLES if name in os.environ},
        )

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Start the command under a new supervisor.

        Raises:
            LaunchError: the program, the directory or the log cannot be opened.
        """
        return SupervisedJob(self._server.connect(), request)

    def close(self) -> None:
        """Let the server end once no job needs it."""
        self._server.close()


class WarmLauncher(LocalLauncher):
    """Forks trials from one preloaded server per session, machine and environment.

    Args:
        session: Unguessable; launchers of one machine that share it share the server.
        program: First word of the trials' command, e.g. ``depth_net``.
        log: Takes the server's output.
        inherited: What the trials' environments are made from; ``os.environ`` by default.
    """

    def __init__(
        self, session: str, program: str, *, log: Path | None = None, inherited: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._environment = trial_environment(
            os.environ if inherited is None else inherited,
            tag=f"{session}-server",
            # NVML leaves CUDA untouched: a process that has initialised it cannot be forked.
            extra={"PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
        )
        self._program = find_servable(program)
        self._warm: ForkServerClient | None = None
        if self._program is not None:
            command = (sys.executable, "-P", "-m", _SERVER, self._program.name)
            self._warm = ForkServerClient(session, command=command, environment=self._environment, log=log)
            self._standby = Standby(self._warm.connect)

    def start(self) -> None:
        """Begin to preload, without waiting for it."""
        if self._warm is not None:
            try:
                self._warm.start()
            except LaunchError as error:
                self._give_up(self._warm, error)

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Fork the trial from the warm server, or start it cold.

        Raises:
            LaunchError: the command could not be started.
        """
        if self._warm is not None and self._suits(request):
            try:
                job = SupervisedJob(self._standby.take(request.environment) or self._warm.connect(), request)
            except LaunchError as error:
                self._give_up(self._warm, error)
            else:
                if request.gpus:
                    self._standby.ask(request.environment)
                return job
        return super().launch(request)

    def close(self) -> None:
        """Let the servers end once no job needs them."""
        super().close()
        if self._warm is not None:
            self._standby.close()
            self._warm.close()

    def _suits(self, request: LaunchRequest) -> bool:
        """Return whether a fork of the server equals a fresh start of the request."""
        if locate_program(request.command[0]) != self._program:
            return False
        mine, asked = (
            {name: value for name, value in environment.items() if _READ_AT_START.fullmatch(name)}
            for environment in (self._environment, request.environment)
        )
        return mine == asked

    def _give_up(self, server: ForkServerClient, error: LaunchError) -> None:
        logger.warning("trials start cold from now on: %s", error)
        self._standby.close()
        server.close()
        self._warm = None


def find_servable(program: str) -> Path | None:
    """Return the file of a command's first word if it is a console script of this environment.

    Its scripts lie beside its interpreter; those of ``pip install --user`` or ``--target`` elsewhere, and name it in
    their first line.
    """
    file = locate_program(program)
    if file is None or find_entry(file.name) is None:
        return None
    if file.parent != bin_directory():
        with open_regular(file) as script:
            first = script.readline(_LONGEST_SHEBANG)
        if not first.startswith(b"#!") or first[2:].decode(errors="replace").strip() != sys.executable:
            return None
    return file
