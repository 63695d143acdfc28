"""Start trials in containers of a docker or podman engine, each under its own keeper."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError
from automl.launch.base import Launcher
from automl.launch.containers import remove_container
from automl.launch.engine import (
    client_environment,
    container_name,
    credentials_of,
    find_caller,
    find_engine,
    home_folders,
    home_of,
    removal,
    run_arguments,
)
from automl.launch.job import SupervisedJob
from automl.launch.leftovers import has_tag

if TYPE_CHECKING:
    from automl.launch.base import LaunchRequest
    from automl.launch.engine import Engine
    from automl.study.launch_plan import LauncherKind

logger = logging.getLogger(__name__)

_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from automl.launch.container_supervisor import main; main()"
_PACKAGE_ROOT = Path(__file__).parents[2]
_START_LIMIT_S = 60.0


class ContainerLauncher(Launcher):
    """Starts each command in a container of its own.

    Args:
        kind: Docker or podman.
    """

    def __init__(self, kind: LauncherKind) -> None:
        self._kind = kind
        self._engine: Engine | None = None
        self._caller = find_caller()

    def launch(self, request: LaunchRequest) -> ContainerJob:
        """Create and start the container under a new keeper.

        Raises:
            LaunchError: there is no image or no engine, or the engine cannot start the container.
        """
        if request.image is None:
            raise LaunchError(f"could not start {request.command[0]}: no image is named for --launcher {self._kind}")
        if self._engine is None:
            self._engine = find_engine(self._kind)
        for folder in home_folders(request).values():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {
            "program": self._engine.program,
            "name": container_name(request.tag),
            "remove": removal(self._kind, container_name(request.tag)),
            "create": run_arguments(request, self._engine, self._caller),
            "environment": client_environment(request.environment, credentials_of(request)),
            "log": str(request.log),
            "is_killed_for_memory": "memory" in request.options and not self._engine.tells_memory,
            "scratch": [str(home_of(request))],
        }
        return ContainerJob(_start_keeper(request.log), request, document, self._engine)


class ContainerJob(SupervisedJob):
    """A container under a keeper.

    Args:
        connection: Connected to the keeper, which waits for the request.
        request: What the job is.
        document: The request in the keeper's words.
        engine: Runs it.

    Raises:
        LaunchError: the container could not be started.
    """

    def __init__(
        self, connection: socket.socket, request: LaunchRequest, document: dict[str, Any], engine: Engine
    ) -> None:
        self._document = document
        self._engine = engine
        super().__init__(connection, request)

    def describe(self, request: LaunchRequest) -> dict[str, Any]:
        """Return what the keeper is sent."""
        del request
        return self._document

    def first_process(self, message: dict[str, Any]) -> int | None:
        """Return the container's first process; None where the engine is on another machine, or belongs to others."""
        pid = int(message["root"])
        return pid if pid and has_tag(pid, self._tag) else None

    def _lose(self) -> None:
        remove_container(self._engine, self._document["name"])
        super()._lose()


def _start_keeper(log: Path) -> socket.socket:
    """Start a keeper, whose own troubles go to the trial's log, and return the lease."""
    ours, theirs = socket.socketpair()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        subprocess.run(  # noqa: S603 # our own module, by this very interpreter
            [sys.executable, "-I", "-S", "-c", _BOOT, str(_PACKAGE_ROOT), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            pass_fds=(theirs.fileno(),),
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH", "LANG") if name in os.environ},
            cwd="/",
            check=True,
            timeout=_START_LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        ours.close()
        raise LaunchError(f"the keeper of a container could not be started: {error}") from error
    finally:
        os.close(output)
        theirs.close()
    return ours
