"""A process that owns one container, to be killed by tests: kind, tag, directory and code are its arguments."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.container import ContainerLauncher
from automl.study.launch_plan import LauncherKind
from tests.contracts.engines import IMAGE, PYTHON


def main() -> None:
    """Start the job, say so when it prints, and wait."""
    kind, tag, directory, code = sys.argv[1:]
    request = LaunchRequest(
        command=(PYTHON, "-S", "-E", "-c", code),
        directory=Path(directory),
        environment=trial_environment(os.environ, tag=tag),
        log=Path(directory) / "log",
        tag=tag,
        image=IMAGE,
        writable=(Path(directory),),
        options={"network": "none", "shm_size": "64m"},
    )
    job = ContainerLauncher(LauncherKind(kind)).launch(request)
    while "grown" not in request.log.read_text(encoding="utf-8") and job.poll() is None:
        time.sleep(0.02)
    print("started", flush=True)  # noqa: T201 # the protocol with the test
    time.sleep(300)


if __name__ == "__main__":
    main()
