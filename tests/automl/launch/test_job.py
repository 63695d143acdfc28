from __future__ import annotations

import json
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.base import LaunchRequest
from automl.launch.job import SupervisedJob
from automl.testing.launchers import unique_tag, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def start(directory: Path, *answers: dict[str, object]) -> tuple[SupervisedJob, socket.socket]:
    """Start a job whose supervisor is played by the test: it reads the request and gives the answers."""
    ours, theirs = socket.socketpair()

    def play() -> None:
        while not theirs.recv(65536).endswith(b"\n"):
            pass
        for answer in answers:
            theirs.sendall(json.dumps(answer).encode() + b"\n")
        if not answers:
            theirs.close()

    thread = threading.Thread(target=play)
    thread.start()
    request = LaunchRequest(
        command=("train",), directory=directory, environment={}, log=directory / "log", tag=unique_tag()
    )
    try:
        return SupervisedJob(ours, request), theirs
    except LaunchError:
        theirs.close()
        raise
    finally:
        thread.join()


def test_the_end_may_arrive_together_with_the_start(tmp_path: Path) -> None:
    job, supervisor = start(tmp_path, {"started": 7}, {"exit": 5})

    assert (job.pid, job.poll()) == (7, 5)
    supervisor.close()


def test_a_supervisor_that_dies_before_the_start_is_a_launch_error(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="could not start train: its supervisor ended"):
        start(tmp_path)


def test_the_supervisors_reason_is_in_the_launch_error(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="could not start train: No such file"):
        start(tmp_path, {"error": "No such file"})


def test_a_supervisor_that_dies_later_makes_the_job_lost(tmp_path: Path) -> None:
    job, supervisor = start(tmp_path, {"started": 7})

    supervisor.close()

    assert wait_for(job, 5.0) == -signal.SIGKILL
    assert job.was_lost
