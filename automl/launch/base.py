"""The launcher's contract: start one command as a process tree that can be followed and killed whole, and dies with us.

Implementations (`local`, `container`, `apptainer`) pass the abstract suite in `automl.testing.launchers`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """One process tree to start.

    Attributes:
        command: Never passed through a shell unless the first element is one.
        directory: Exists.
        environment: The whole environment of the process.
        log: Takes stdout and stderr, appended.
        tag: Identifies study, trial and attempt, e.g. ``demo-8f3a/0007/1``; leftover processes are found by it.
        gpus: Devices the tree may use, as CUDA_VISIBLE_DEVICES entries; empty for none.
        image: For launchers that use containers, as are ``options``: ``network``, ``shm_size``, ``memory``.
        read_only: Host paths the command reads.
        writable: Host paths the command writes.
        is_single: One process tree, also where trials run on several nodes.
        credentials: Names of variables of ``environment`` that a container gets by name, never by value.
    """

    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    log: Path
    tag: str
    gpus: tuple[str, ...] = ()
    image: str | None = None
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    is_single: bool = False
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEnd:
    """What else has ended a job.

    Attributes:
        is_out_of_memory: A container engine has ended it for its use of memory; else its supervisor, its container or
            its node was lost.
    """

    reason: str
    is_out_of_memory: bool = False


class Job(ABC):
    """A started process tree.

    Attributes:
        pid: The first process of the tree; None where it cannot be seen from this process.
        external_end: Set at the end, if something else than the program or `kill` has ended it.
    """

    pid: int | None = None
    external_end: ExternalEnd | None = None

    @property
    def was_lost(self) -> bool:
        """Whether the supervisor, the container or the node of the job was lost."""
        return self.external_end is not None and not self.external_end.is_out_of_memory

    @abstractmethod
    def poll(self) -> int | None:
        """Return the exit status (negative for a signal), or None while it runs. Never blocks."""

    def wait(self, limit_s: float) -> int | None:
        """Return the exit status as soon as the job has ended, or None after ``limit_s`` seconds."""
        time.sleep(limit_s)
        return self.poll()

    @abstractmethod
    def kill(self, *, grace_s: float) -> None:
        """End the whole tree: SIGTERM, after ``grace_s`` seconds SIGKILL. Returns when no process of it lives.

        It is no error that the job has ended already.
        """


class Launcher(ABC):
    """Starts jobs of one kind."""

    @abstractmethod
    def launch(self, request: LaunchRequest) -> Job:
        """Start a job.

        Raises:
            LaunchError: the command could not be started; names the command and the reason.
        """

    def close(self) -> None:
        """End what the launcher keeps running for later jobs; jobs that run are not affected."""
