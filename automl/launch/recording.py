"""A launcher around another one that remembers its jobs, to end them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.launch.base import Launcher

if TYPE_CHECKING:
    from automl.launch.base import Job, LaunchRequest


class RecordingLauncher(Launcher):
    """Hands everything on and keeps the jobs.

    Args:
        launcher: Does the work.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._jobs: list[Job] = []

    def launch(self, request: LaunchRequest) -> Job:
        """Start a job.

        Raises:
            LaunchError: the command could not be started.
        """
        job = self._launcher.launch(request)
        self._jobs.append(job)
        return job

    @property
    def first_pid(self) -> int | None:
        """The first process of the job started last; None if there is none, or if it cannot be seen from here."""
        return self._jobs[-1].pid if self._jobs else None

    def forget(self) -> None:
        """Forget the jobs so far; they have ended."""
        self._jobs.clear()

    def kill_all(self) -> None:
        """End every job that is remembered."""
        for job in self._jobs:
            job.kill(grace_s=0.0)

    def close(self) -> None:
        """Close the launcher behind."""
        self._launcher.close()
