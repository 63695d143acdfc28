"""Kill -9 of whatever runs a study under Ray: no trial outlives it, and the study goes on or can be resumed."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from automl.executor.ray.study import execute_study
from automl.launch.processes import descendants, find_leftovers, read_process
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results, read_state
from automl.study.trial import TrialState
from automl.trial.attempts import next_start
from automl.trial.task import study_tag
from tests.automl.executor.toy_study import ListSearcher, ThresholdRule, toy_location, toy_plan

DRIVER = Path(__file__).parent / "ray_driver.py"
_STARTED_BY = "TEST_STARTED_BY"


def driver(root: Path, *modes: str) -> subprocess.Popen[str]:
    """Start a process that runs a study of these modes with two slots; what it starts inherits the folder's name."""
    return subprocess.Popen(
        [sys.executable, DRIVER, str(root), *modes],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, _STARTED_BY: str(root)},
    )


def wait_for_status(root: Path, number: int, limit_s: float = 90.0, *, epochs: int = 0) -> None:
    """Wait until a trial has reported, so many epochs at least."""
    file = root / "study" / "trials" / f"{number:04d}" / "status.json"
    deadline_s = time.monotonic() + limit_s
    while not file.exists() or file.read_text(encoding="utf-8").count("\n") < epochs:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def wait_until_gone(tag: str, limit_s: float) -> None:
    deadline_s = time.monotonic() + limit_s
    while find_leftovers(tag):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_killed_study_leaves_no_process_and_is_resumed_with_its_open_trials(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = toy_plan(tmp_path / "skill", trials=3)
    tag = study_tag(plan, tmp_path / "study")
    with driver(tmp_path, "good", "deaf_first", "deaf_first") as process:
        wait_for_status(tmp_path, 2)
        process.kill()
        wait_until_gone(tag, limit_s=20.0)
    searcher = ListSearcher([{"mode": "good", "quality": 0.5}] * 3)

    with caplog.at_level(logging.WARNING):
        result = execute_study(plan, toy_location(tmp_path), searcher=searcher, scheduler=ThresholdRule())

    assert [entry.state for entry in result.trials] == [TrialState.COMPLETED] * 3
    assert [entry.attempt for entry in result.trials] == [1, 2, 2]
    assert [entry.directory for entry in result.trials] == ["trials/0000", "trials/0001.2", "trials/0002.2"]


@pytest.mark.slow
def test_whatever_is_killed_at_whatever_instant_no_trial_outlives_it_by_5_s(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=40)
    tag, chance = study_tag(plan, tmp_path / "study"), random.Random(6)  # noqa: S311 # instants
    names = {"worker": "ray::", "node process": "raylet/raylet"}
    lived_s = []
    process = driver(tmp_path, *["deaf_hang"] * 40)
    for victim in ["driver", "worker", "fork server", "node process"] * 2:
        while not find_leftovers(tag):
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 1.0))
        living = {(p.pid, p.start) for p in find_leftovers(tag)}
        match victim:
            case "driver":
                victims = [process.pid]
            case "fork server":
                victims = fork_servers_of(living)
            case _:
                victims = descendants_named(process.pid, names[victim])
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        began_s = time.monotonic()
        while living & {(p.pid, p.start) for p in find_leftovers(tag)}:
            assert time.monotonic() < began_s + 5.0, victim
            time.sleep(0.02)
        lived_s.append((victim, round(time.monotonic() - began_s, 2), len(victims), len(living)))
        if victim in {"driver", "node process"}:
            leave(process)
            process = driver(tmp_path, *["deaf_hang"] * 40)
    process.kill()
    leave(process)
    wait_until_gone(tag, limit_s=5.0)
    print(lived_s)  # noqa: T201 # shown when the test is run with -s


def leave(process: subprocess.Popen[str]) -> None:
    """Wait for a driver's end, but not for what still has its output open."""
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def fork_servers_of(living: set[tuple[int, int]]) -> list[int]:
    """Return the servers that the trials' supervisors were forked from."""
    return list({uppermost(pid) for pid, _ in living})


def uppermost(pid: int) -> int:
    """Return the uppermost process above one that runs the servers' program; supervisors run it too, trials do not."""
    found = pid
    while (process := read_process(pid)) is not None and process.parent > 1:
        found = pid if "automl.launch.fork_server" in command_line(pid) else found
        pid = process.parent
    return pid if "automl.launch.fork_server" in command_line(pid) else found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@pytest.mark.slow
def test_the_second_interrupt_ends_the_study_with_its_status(tmp_path: Path) -> None:
    with driver(tmp_path, "hang", "hang", "good") as process:
        for number in range(2):  # what they report after the first interrupt would end them
            wait_for_status(tmp_path, number, epochs=2)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everything that has not left the session
        time.sleep(1.0)
        still_runs = process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    states = [result.state for result in read_results(StudyPaths(tmp_path / "study"))]
    assert still_runs
    assert process.returncode == 130, output
    assert states == [TrialState.INTERRUPTED] * 2


@pytest.mark.slow
def test_a_killed_worker_costs_an_attempt_and_not_the_trial(tmp_path: Path) -> None:
    with driver(tmp_path, "hang_first") as process:
        wait_for_status(tmp_path, 0)
        worker = next(pid for pid in descendants_named(process.pid, "ray::ResourceTrainable"))
        os.kill(worker, 9)
        process.communicate(timeout=120)

    (result,) = read_results(StudyPaths(tmp_path / "study"))
    assert (result.state, result.attempt) == (TrialState.COMPLETED, 2)


@pytest.mark.slow
def test_no_trial_outlives_the_global_server_of_ray(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=2)
    with driver(tmp_path, "hang", "hang") as process:
        wait_for_status(tmp_path, 1)
        (server,) = descendants_named(process.pid, "gcs/gcs_server")
        os.kill(server, 9)
        wait_until_gone(study_tag(plan, tmp_path / "study"), limit_s=5.0)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 4, output
    # The caller gets an error: a notebook lives on.
    assert "raised: a server process of Ray was killed" in output


@pytest.mark.slow
def test_a_global_server_that_dies_while_ray_starts_ends_the_study_with_a_sentence(tmp_path: Path) -> None:
    with driver(tmp_path, "hang") as process:
        deadline_s = time.monotonic() + 120.0
        while not (raylets := descendants_named(process.pid, "raylet/raylet")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline_s
        (server,) = descendants_named(process.pid, "gcs/gcs_server")
        os.kill(server, 9)
        began_s = time.monotonic()
        output, _ = process.communicate(timeout=60)

    assert raylets
    assert process.returncode == 4, output
    assert "Ray" in output
    assert time.monotonic() < began_s + 40.0  # Ray by itself ends the process after 60 s


@pytest.mark.slow
def test_a_killed_node_process_ends_trials_at_once_and_the_study_with_an_error(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=2)
    with driver(tmp_path, "hang", "hang") as process:
        wait_for_status(tmp_path, 1)
        raylet = next(pid for pid in descendants_named(process.pid, "raylet/raylet"))
        os.kill(raylet, 9)
        wait_until_gone(study_tag(plan, tmp_path / "study"), limit_s=5.0)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 4, output


def descendants_named(pid: int, text: str) -> list[int]:
    """Return the processes below one whose command line begins with, or whose program is, the text."""
    lines = dict[int, bytes]()
    for process in descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            lines[process.pid] = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[0]
    return [found for found, line in lines.items() if text.encode() in line]


@pytest.mark.slow
def test_the_first_interrupt_ends_running_trials_with_a_checkpoint_and_a_resume_goes_on_from_it(tmp_path: Path) -> None:
    plan = replace(toy_plan(tmp_path / "skill", trials=3), max_epochs=40)
    with driver(tmp_path, *["slow"] * 3) as process:
        wait_for_status(tmp_path, 1)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    interrupted = read_results(StudyPaths(tmp_path / "study"))
    assert process.returncode == 130, output
    assert "once more ends them at once" in output
    assert [result.state for result in interrupted] == [TrialState.INTERRUPTED] * 2
    study = StudyPaths(tmp_path / "study")
    trials = read_state(study).trials
    begins = [next_start(plan, study, trials[result.number]) for result in interrupted]
    assert [start.first_epoch for start in begins] == [len(result.curve) for result in interrupted]
    assert all(start.checkpoint is not None for start in begins)


def started_by(root: Path) -> dict[int, str]:
    """Return the processes that a driver has started, directly or not, with their command lines."""
    wanted, found = f"{_STARTED_BY}={root}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = command_line(int(folder.name)).replace("\0", " ")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("last", ["gcs/gcs_server", "raylet/raylet", "agent.py", "ray::"])
def test_a_driver_that_is_killed_while_ray_starts_leaves_nothing_after_5_s(last: str, tmp_path: Path) -> None:
    process = driver(tmp_path, "hang", "hang")
    deadline_s = time.monotonic() + 120.0
    while not any(last in line for line in started_by(tmp_path).values()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s

    process.kill()
    began_s = time.monotonic()
    leave(process)
    while left := started_by(tmp_path):
        assert time.monotonic() < began_s + 5.0, left
        time.sleep(0.05)


@pytest.mark.slow
def test_a_folder_that_is_moved_during_a_run_ends_it_and_is_not_made_again(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    root.mkdir()
    with driver(root, *["good"] * 200) as process:
        wait_for_status(root, 2)
        (root / "study").rename(elsewhere)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 4, output
    assert f"the study directory {root / 'study'} was moved or deleted while the study ran" in output
    assert not (root / "study").exists()
    # With two slots, one of the first two trials has ended before the third one reports.
    assert TrialState.COMPLETED in {result.state for result in read_results(StudyPaths(elsewhere))[:2]}
