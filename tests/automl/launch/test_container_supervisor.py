"""The container supervisor where an engine misbehaves; the rest is in the conformance suite of containers."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.container import ContainerLauncher
from automl.launch.processes import TAG_VARIABLE
from automl.study.launch_plan import LauncherKind
from automl.testing.launchers import unique_tag, wait_for
from tests.automl.launch.fake_engine import install_engine
from tests.automl.launch.test_engine import REQUEST

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import Job

RUNNING = '{"Running": true, "StartedAt": "2026", "ExitCode": 0}'
ENDED = RUNNING.replace("true", "false")
NEVER = '{"Running": false, "StartedAt": "0001-01-01T00:00:00Z", "ExitCode": 128, "Error": "no such device: GPU-1"}'


def launch(folder: Path, monkeypatch: pytest.MonkeyPatch, rest: str, tag: str = "") -> Job:
    install_engine(folder / "bin", monkeypatch, rest=f'echo "$1" >> {folder}/calls\ncase "$1" in {rest} esac')
    request = dataclasses.replace(
        REQUEST,
        directory=folder,
        log=folder / "log",
        tag=tag or unique_tag(),
        gpus=(),
        writable=(folder,),
        read_only=(),
    )
    launcher = ContainerLauncher(LauncherKind.DOCKER)
    try:
        return launcher.launch(request)
    finally:
        launcher.close()


def test_what_the_engine_says_of_a_container_it_cannot_create_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LaunchError, match="bind source path does not exist"):
        launch(tmp_path, monkeypatch, "create) echo 'bind source path does not exist: /data' >&2; exit 1;;")


def test_what_the_engine_says_of_a_container_that_never_started_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LaunchError, match="no such device: GPU-1"):
        launch(tmp_path, monkeypatch, f"start) exit 128;; inspect) echo '{NEVER}';;")

    assert "rm" in (tmp_path / "calls").read_text(encoding="utf-8").split()


INIT = """
import pathlib, subprocess, sys, time
pathlib.Path("pid").write_text(str(__import__("os").getpid()))
time.sleep(1.0)  # a busy machine
{then}
"""
FAILS = "sys.exit('[FATAL tini (7)] exec no-such-program failed: No such file or directory')"
RUNS = "subprocess.run(['sleep', '0.5'])"


def slow_init(folder: Path, then: str, tag: str) -> str:
    """Return what an engine does whose first process in a container takes a second to start the program."""
    (folder / "init.py").write_text(INIT.format(then=then), encoding="utf-8")
    state = RUNNING.replace("}", ', "Pid": PID}').replace("PID", f"'$(cat {folder}/pid)'")
    start = f"cd {folder} && {TAG_VARIABLE}={tag} {sys.executable} init.py; status=$?; touch ended; exit $status"
    known = f"if [ -e {folder}/ended ]; then echo '{ENDED}'; elif [ -s {folder}/pid ]; then echo '{state}'"
    return f"start) {start};; inspect) {known}; else echo '{NEVER}'; fi;;"


def test_a_program_that_a_busy_machine_fails_to_start_late_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = unique_tag()

    with pytest.raises(LaunchError, match="no-such-program"):
        launch(tmp_path, monkeypatch, slow_init(tmp_path, FAILS, tag), tag)


def test_a_container_has_started_when_its_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = unique_tag()
    job = launch(tmp_path, monkeypatch, slow_init(tmp_path, RUNS, tag), tag)

    assert job.poll() is None
    assert wait_for(job) == 0


def test_an_engine_that_is_gone_is_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = f"if [ -e {tmp_path}/gone ]; then echo 'Cannot connect to the Docker daemon' >&2; exit 1; fi"
    rest = f"start) while [ ! -e {tmp_path}/gone ]; do sleep 0.02; done;; inspect) {gone}; echo '{RUNNING}';;"
    job = launch(tmp_path, monkeypatch, rest)

    (tmp_path / "gone").touch()

    assert wait_for(job) == -9
    assert job.was_lost
    assert job.external_end is not None
    assert "the engine is gone: Cannot connect" in job.external_end.reason
    assert "the engine is gone: Cannot connect" in (tmp_path / "log").read_text(encoding="utf-8")


def test_why_a_container_ended_is_in_its_log_also_where_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = f"if [ -e {tmp_path}/gone ]; then echo 'Cannot connect to the Docker daemon' >&2; exit 1; fi"
    rest = f"start) while [ ! -e {tmp_path}/gone ]; do sleep 0.02; done;; inspect) {gone}; echo '{RUNNING}';;"
    job = launch(tmp_path, monkeypatch, rest)

    with (tmp_path / "log").open(encoding="utf-8") as log:
        (tmp_path / "log").unlink()
        (tmp_path / "gone").touch()
        assert wait_for(job) == -9
        assert "the engine is gone: Cannot connect" in log.read()

    assert not (tmp_path / "log").exists()


def test_a_container_that_never_starts_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = NEVER.replace("no such device: GPU-1", "")
    rest = f"start) sleep 60;; inspect) echo '{waiting}'; touch {tmp_path}/asked;;"
    monkeypatch.setattr("automl.launch.job.START_LIMIT_S", 0.5)

    with pytest.raises(LaunchError, match="did not answer"):
        launch(tmp_path, monkeypatch, rest)

    calls, deadline_s = tmp_path / "calls", time.monotonic() + 60.0
    while not (calls.is_file() and "rm" in calls.read_text(encoding="utf-8").split()) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert "rm" in calls.read_text(encoding="utf-8").split()


@pytest.mark.slow
def test_a_container_that_does_not_die_is_removed_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = f"start) sleep 60;; inspect) echo '{RUNNING}';;"
    job = launch(tmp_path, monkeypatch, rest)

    started_s = time.monotonic()
    job.kill(grace_s=0.0)

    assert time.monotonic() - started_s < 15.0
    assert (tmp_path / "calls").read_text(encoding="utf-8").split()[-1] == "rm"
