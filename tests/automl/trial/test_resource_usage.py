"""Memory, processor time and GPUs of a process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.trial.resource_usage import ResourceWatch, gpu_values, memory_gib, process_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.study.trial import Measurement

# A parent whose child holds 200 MiB and computes.
CHILD = "b = bytearray(200 << 20); b[::4096] = b'x' * len(b[::4096]); print('ready', flush=True)\nwhile 1: pass"
PROGRAM = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
DRIVER = """#!/bin/sh
case "$1" in
  *compute-apps*) printf 'GPU-a, {pid}, 2048\\nGPU-a, 1, 512\\n' ;;
  *) printf 'GPU-a, 4096, 87\\nGPU-b, 1024, [N/A]\\n' ;;
esac
"""


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        for pid in reversed(process_tree(process.pid)):
            os.kill(pid, 9)


def test_the_memory_of_a_child_is_its_trials(tree: subprocess.Popen[bytes]) -> None:
    pids = process_tree(tree.pid)

    assert len(pids) == 2
    assert 200 / 1024 < memory_gib(pids) < 400 / 1024


def test_a_watch_reports_memory_and_processors_and_keeps_the_peak(tree: subprocess.Popen[bytes]) -> None:
    reported: list[Measurement] = []
    watch = ResourceWatch(root_pid=lambda: tree.pid, gpus=(), report=reported.append, interval_s=0.2)
    watch.start()
    deadline = time.monotonic() + 20
    while len(reported) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    watch.stop()

    assert reported[0].epoch is None
    assert reported[0].values["system/memory_gib"] > 200 / 1024
    assert reported[-1].values["system/cpu_cores"] > 0.05
    assert watch.peak_gib == max(measurement.values["system/memory_gib"] for measurement in reported)


def test_a_tree_that_is_gone_or_not_there_yet_is_nothing() -> None:
    reported: list[Measurement] = []

    assert ResourceWatch(root_pid=lambda: None, gpus=(), report=reported.append).sample() == {}
    assert ResourceWatch(root_pid=lambda: 2**22 + 1, gpus=(), report=reported.append).sample() == {}


def test_gpu_memory_is_the_trials_own_where_the_driver_names_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(DRIVER.format(pid=77), encoding="utf-8")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert gpu_values(("0", "1"), [77]) == {
        "system/gpu_0_memory_gib": 2.0,
        "system/gpu_0_utilization_percent": 87.0,
        "system/gpu_1_memory_gib": 1.0,
    }
    watch = ResourceWatch(root_pid=lambda: None, gpus=("0", "1"), report=lambda _: None)
    watch.sample()
    assert watch.peak_gib == 4.0 + 1.0


def test_without_a_driver_there_are_no_gpu_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert gpu_values(("0",), []) == {}
