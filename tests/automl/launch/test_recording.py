from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from automl.launch.base import LaunchRequest
from automl.launch.recording import RecordingLauncher
from tests.scripted_launcher import Script, ScriptedLauncher

if TYPE_CHECKING:
    from pathlib import Path


def request_in(directory: Path) -> LaunchRequest:
    return LaunchRequest(command=("x",), directory=directory, environment={}, log=directory / "log", tag="r/0/1")


def test_every_remembered_job_is_ended(tmp_path: Path) -> None:
    launcher = RecordingLauncher(ScriptedLauncher(lambda _: Script(exit_status=None)))
    jobs = [launcher.launch(request_in(tmp_path)) for _ in range(2)]

    launcher.kill_all()

    assert [job.poll() for job in jobs] == [-signal.SIGTERM] * 2


def test_a_forgotten_job_is_left_alone(tmp_path: Path) -> None:
    launcher = RecordingLauncher(ScriptedLauncher(lambda _: Script(exit_status=None)))
    job = launcher.launch(request_in(tmp_path))

    launcher.forget()
    launcher.kill_all()

    assert job.poll() is None
