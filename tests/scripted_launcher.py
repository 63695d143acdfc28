"""A launcher for tests: nothing is started; what a job writes and how it ends is declared beforehand.

The declared lines appear in their files when their time has come, seen from whoever polls, so tests of the life of a
trial need neither processes nor sleeps of unknown length.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError, LaunchFailure
from automl.launch.base import Job, Launcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.launch.base import LaunchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedWrite:
    """Text that appears in a file.

    Attributes:
        text: Appended as it is; a line needs its newline.
        at_s: Seconds after the launch.
        file: Relative to the request's directory; None for the log.
    """

    text: str
    at_s: float = 0.0
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one job does.

    Attributes:
        writes: In order of their times.
        exit_status: Returned once everything is written and ``ends_at_s`` has passed; None for a job that hangs.
        ends_at_s: Seconds after the launch.
        start_error: The launch fails for this reason, as one whose program does not exist.
    """

    writes: tuple[ScriptedWrite, ...] = ()
    exit_status: int | None = 0
    ends_at_s: float = 0.0
    start_error: str | None = None


class ScriptedJob(Job):
    """Plays a script."""

    def __init__(self, request: LaunchRequest, script: Script) -> None:
        self._request = request
        self._script = script
        self._written = 0
        self._started_s = time.monotonic()
        self._status: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Write what is due; return the exit status once the script has ended."""
        with self._lock:
            if self._status is None:
                self._play()
            return self._status

    def kill(self, *, grace_s: float) -> None:
        """End the script at once; nothing more is written."""
        del grace_s
        with self._lock:
            if self._status is None:
                self._status = -int(signal.SIGTERM)

    def _play(self) -> None:
        elapsed_s = time.monotonic() - self._started_s
        for write in self._script.writes[self._written :]:
            if write.at_s > elapsed_s:
                return
            file = self._request.log if write.file is None else self._request.directory / write.file
            file.parent.mkdir(parents=True, exist_ok=True)
            with Path(file).open("a", encoding="utf-8") as stream:
                stream.write(write.text)
            self._written += 1
        if elapsed_s >= self._script.ends_at_s:
            self._status = self._script.exit_status


@dataclass(slots=True)
class ScriptedLauncher(Launcher):
    """Plays the script that a function chooses for each request.

    Attributes:
        choose: Request -> script.
        requests: Every request so far.
    """

    choose: Callable[[LaunchRequest], Script]
    requests: list[LaunchRequest] = field(default_factory=list)

    def launch(self, request: LaunchRequest) -> ScriptedJob:
        """Start playing.

        Raises:
            LaunchError: the script says so.
        """
        self.requests.append(request)
        script = self.choose(request)
        if script.start_error is not None:
            raise LaunchError(
                f"could not start {request.command[0]}: {script.start_error}", failure=LaunchFailure.PROGRAM
            )
        return ScriptedJob(request, script)
