from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from automl.executor.ray import agent as ray_agent
from automl.launch.processes import read_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_node_process_finds_the_ports_and_the_stand_in_dies_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", ray_agent.__file__, str(tmp_path), "ab12", "one_port", "other_port"]
    program = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        agent = int(node.stdout.readline())
        await_that(lambda: len(list(tmp_path.iterdir())) == 2)
        await_that(lambda: all((tmp_path / f"{n}_port_ab12").is_file() for n in ("one", "other")))
        assert {file.read_text() for file in tmp_path.iterdir()} == {"-1"}
        os.kill(agent, 0)

        node.send_signal(signal.SIGKILL)

    await_that(lambda: read_process(agent) is None)


def test_workers_that_are_being_started_end_with_the_node_process(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", ray_agent.__file__, str(tmp_path), "ab12", "one_port"]
    worker = [sys.executable, "-c", "import time; time.sleep(60)", f"{tmp_path}/sockets"]
    program = (
        f"import subprocess, time; subprocess.Popen({command!r});"
        f"print(subprocess.Popen({worker!r}).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        started = int(node.stdout.readline())
        await_that((tmp_path / "one_port_ab12").is_file)
        node.send_signal(signal.SIGKILL)
        killed_s = time.monotonic()

        await_that(lambda: read_process(started) is None)

    assert time.monotonic() - killed_s < 15


def test_a_worker_that_has_changed_its_command_line_ends_with_the_node_process(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", ray_agent.__file__, str(tmp_path), "ab12", "one_port"]
    worker = [sys.executable, "-c", "import time; time.sleep(60)"]
    program = (
        f"import os, subprocess, time; subprocess.Popen({command!r});"
        f"environment = {{**os.environ, 'RAY_RAYLET_PID': str(os.getpid())}};"
        f"print(subprocess.Popen({worker!r}, env=environment).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        started = int(node.stdout.readline())
        await_that((tmp_path / "one_port_ab12").is_file)
        node.send_signal(signal.SIGKILL)

        await_that(lambda: read_process(started) is None)


def await_that(holds: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends_s
        time.sleep(0.02)
