"""A process that owns one job, to be killed by tests: tag, directory and the job's code are its arguments."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.local import LocalLauncher
from automl.launch.processes import find_leftovers
from automl.testing.launchers import TREE_SIZE


def main() -> None:
    """Start the job, say so when all of its processes are there, and wait."""
    tag, directory, code = sys.argv[1:]
    request = LaunchRequest(
        command=(sys.executable, "-S", "-E", "-c", code),
        directory=Path(directory),
        environment=trial_environment(os.environ, tag=tag),
        log=Path(directory) / "log",
        tag=tag,
    )
    job = LocalLauncher().launch(request)
    while len(find_leftovers(tag)) < TREE_SIZE and job.poll() is None:
        time.sleep(0.02)
    print("started", flush=True)  # noqa: T201 # the protocol with the test
    time.sleep(300)


if __name__ == "__main__":
    main()
