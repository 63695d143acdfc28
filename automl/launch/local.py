"""Start trials on this machine, each under its own guard. Works for every command; nothing is preloaded."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from automl.launch.base import Launcher
from automl.launch.fork_server import ForkServer
from automl.launch.job import SupervisedJob

if TYPE_CHECKING:
    from automl.launch.base import LaunchRequest

# -I and -S leave out site-packages, and with it 50 ms; the package itself is put last, behind the standard library.
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from automl.launch.server import main; main()"
_PACKAGE_ROOT = Path(__file__).parents[2]
_SERVER_VARIABLES = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")


class LocalLauncher(Launcher):
    """Starts each command in a fresh process tree of its own session."""

    def __init__(self) -> None:
        self._server = ForkServer(
            secrets.token_hex(16),
            command=(sys.executable, "-I", "-S", "-c", _BOOT, str(_PACKAGE_ROOT)),
            environment={name: os.environ[name] for name in _SERVER_VARIABLES if name in os.environ},
        )

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Start the command under a new guard.

        Raises:
            LaunchError: the program, the directory or the log cannot be opened.
        """
        return SupervisedJob(self._server.connect(), request)

    def close(self) -> None:
        """Let the server of the guards end once no job needs it."""
        self._server.close()
