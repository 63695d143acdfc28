from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.launch.processes import (
    TAG_VARIABLE,
    Process,
    descendants,
    end_leftovers,
    find_leftovers,
    read_process,
    read_processes,
    send_signal,
)
from automl.testing.launchers import unique_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEP = "import time; time.sleep(300)"
CHILD = f"subprocess.Popen([sys.executable, '-S', '-c', {SLEEP!r}])"
CHAIN = f"import subprocess, sys; {CHILD}; print('x', flush=True); {SLEEP}"


def test_a_process_is_read_with_its_parent() -> None:
    process = read_process(os.getpid())

    assert process is not None
    assert process.parent == os.getppid()
    assert read_processes()[os.getpid()] == process


def test_a_process_that_does_not_exist_is_none() -> None:
    assert read_process(2**30) is None


def test_descendants_are_found_to_any_depth_and_spared_ones_left_out() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", CHAIN], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()

        below = {process.pid for process in descendants(os.getpid())}
        spared = {process.pid for process in descendants(os.getpid(), spare=[child.pid])}
        grandchildren = descendants(child.pid)

        for process in grandchildren:
            send_signal(process, signal.SIGKILL)
        child.kill()

    assert child.pid in below
    assert len(grandchildren) == 1
    assert grandchildren[0].pid in below
    assert not spared & {child.pid, grandchildren[0].pid}


def test_a_process_that_took_over_an_id_is_never_signalled() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", SLEEP]) as child:
        now = read_process(child.pid)
        assert now is not None

        send_signal(Process(child.pid, now.parent, now.start - 1), signal.SIGKILL)
        survived = child.poll() is None
        send_signal(now, signal.SIGKILL)

    assert survived
    assert child.returncode == -signal.SIGKILL


@pytest.fixture
def sleeper() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    study = unique_tag().split("/")[0]
    environment = {**os.environ, TAG_VARIABLE: f"{study}/0003/2"}
    command = [sys.executable, "-S", "-c", "import time; print(flush=True); time.sleep(300)"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # before that the kernel may not show its environment
        yield study, process
        process.kill()


def test_a_process_is_found_by_its_study_its_trial_and_its_attempt(
    sleeper: tuple[str, subprocess.Popen[bytes]],
) -> None:
    study, process = sleeper

    for tag in (study, f"{study}/0003", f"{study}/0003/2"):
        assert [found.pid for found in find_leftovers(tag)] == [process.pid]


def test_another_study_whose_name_begins_alike_is_not_found(sleeper: tuple[str, subprocess.Popen[bytes]]) -> None:
    study, _ = sleeper

    assert not find_leftovers(study[:-1])
    assert not find_leftovers(f"{study}/0003/1")


def test_leftovers_are_ended_and_counted(sleeper: tuple[str, subprocess.Popen[bytes]]) -> None:
    study, process = sleeper

    assert end_leftovers(study) == 1

    assert process.wait(5) == -9
    assert end_leftovers(study) == 0
