"""Start trials from a server that has imported the trainer already; everything else starts cold.

Only a console script of this environment can be served, and only if what its interpreter and libraries read at their
start (`PYTHON*`, `LD_*`, `HF_*`, ...) is the same for server and trial. Any other request, and every request after the
server could not be started, goes to the local launcher: slower, never different.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.base import Launcher
from automl.launch.command import find_program, is_own_script
from automl.launch.entry import TAG_LENGTH, find_entry
from automl.launch.environment import trial_environment
from automl.launch.fork_server import ForkServer
from automl.launch.job import SupervisedJob
from automl.launch.local import LocalLauncher

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.launch.base import LaunchRequest

logger = logging.getLogger(__name__)

_READ_AT_START = re.compile(
    r"(?!PYTORCH_NVML)(PYTHON|LD_|HF_|TRANSFORMERS_|TORCH|PYTORCH_|LIGHTNING_|PL_|KMP_|MALLOC_|LC_|LANG).*"
)
_SERVER_COMMAND = (sys.executable, "-P", "-m", "automl.launch.server")


class WarmLauncher(Launcher):
    """Forks trials from one preloaded server per session, machine and environment.

    Args:
        session: Unguessable name; launchers of one machine that share it share the server.
        program: First word of the trials' command, e.g. ``depth_net``.
        log: Takes the server's own output.
        inherited: What the trials' environments are made from; ``os.environ`` by default.
    """

    def __init__(
        self, session: str, program: str, *, log: Path | None = None, inherited: Mapping[str, str] | None = None
    ) -> None:
        self._local = LocalLauncher()
        self._environment = trial_environment(
            os.environ if inherited is None else inherited,
            tag="-" * TAG_LENGTH,
            # Asking for devices through NVML leaves CUDA untouched: a process that has initialised it cannot be forked.
            extra={"PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
        )
        self._program = find_servable(program)
        self._server: ForkServer | None = None
        if self._program is not None:
            self._server = ForkServer(
                session, command=_SERVER_COMMAND, environment=self._environment, log=log, entry=self._program.name
            )

    def start(self) -> None:
        """Begin to preload, without waiting for it."""
        if self._server is not None:
            try:
                self._server.start()
            except LaunchError as error:
                self._give_up(error)

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Fork the trial from the server, or start it cold.

        Raises:
            LaunchError: the command could not be started.
        """
        server = self._server
        if server is not None and self._suits(request):
            try:
                return SupervisedJob(server.connect(), request)
            except LaunchError as error:
                self._give_up(error)
        return self._local.launch(request)

    def close(self) -> None:
        """Let the servers end once nobody needs them."""
        self._local.close()
        if self._server is not None:
            self._server.close()

    def _suits(self, request: LaunchRequest) -> bool:
        """Tell whether a fork of the server is what a fresh start of the request would be."""
        if _find(request.command[0]) != self._program:
            return False
        mine, asked = (
            {name: value for name, value in environment.items() if _READ_AT_START.fullmatch(name)}
            for environment in (self._environment, request.environment)
        )
        return mine == asked

    def _give_up(self, error: LaunchError) -> None:
        logger.warning("trials start cold from now on: %s", error)
        if self._server is not None:
            self._server.close()
            self._server = None


def find_servable(program: str) -> Path | None:
    """Return the file of a command's first word if it is a console script of this environment."""
    file = _find(program)
    return file if file is not None and is_own_script(file) and find_entry(file.name) is not None else None


def _find(program: str) -> Path | None:
    try:
        return find_program(program)
    except LaunchError:
        return None
