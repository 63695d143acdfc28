"""The watch over a study: signals, and errors that Tune would wait through."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, NoReturn, cast

import pytest

from automl.errors import LaunchError
from automl.executor.ray import watch as module
from automl.executor.ray.watch import Watch
from automl.launch.processes import TAG_VARIABLE
from automl.study.ends import EndKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.executor.loop import StudyLoop
    from automl.study.ends import EndReason

_LIMIT_S = 60.0
TAG = "demo-watched"


class _Loop:
    """Stands for the loop of a study; its lock is that of the event log."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.interrupts: list[bool] = []
        self.failure: OSError | None = None
        self.ends: list[EndReason] = []
        self.suspended: Callable[[], object] = lambda: None

    def interrupt(self, *, at_once: bool) -> None:
        with self.lock:
            self.interrupts.append(at_once)

    def check_budget(self) -> None:
        if self.failure is not None:
            raise self.failure

    def suspend(self, end: EndReason) -> None:
        self.suspended()
        self.ends.append(end)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> _Loop:
    monkeypatch.setattr(module, "ray_is_alive", lambda: True)
    return _Loop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_an_event_that_is_written_waits_for_its_end(
    loop: _Loop, tmp_path: Path, number: signal.Signals
) -> None:
    with Watch(cast("StudyLoop", loop), tmp_path, TAG).running(), loop.lock:
        signal.raise_signal(number)
        assert loop.interrupts == []

    assert loop.interrupts == [number == signal.SIGTERM]


def test_what_the_watch_cannot_write_ends_a_study_that_waits(loop: _Loop, tmp_path: Path) -> None:
    loop.failure = OSError(28, "No space left on device")

    with pytest.raises(LaunchError, match=r"cannot be written \(No space left on device\)"):
        _wait_under(Watch(cast("StudyLoop", loop), tmp_path, TAG))


@pytest.mark.parametrize("is_disk_busy", [False, True])
def test_the_trials_of_this_machine_end_with_the_servers_of_ray(
    loop: _Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_disk_busy: bool
) -> None:
    monkeypatch.setattr(module, "ray_is_alive", lambda: False)
    watch = Watch(cast("StudyLoop", loop), tmp_path, TAG)
    trial = subprocess.Popen(["/bin/sleep", "60"], env={**os.environ, TAG_VARIABLE: f"{TAG}/0000/1"})
    loop.suspended = (lambda: trial.wait(_LIMIT_S)) if is_disk_busy else trial.poll  # as long as the trial lives
    try:
        with pytest.raises(LaunchError, match="server process of Ray was killed"), contextlib.closing(watch):
            _wait_under(watch)

        assert trial.wait(1.0) == -signal.SIGKILL
    finally:
        trial.kill()
    assert [end.kind for end in loop.ends] == [EndKind.RAY_LOST]


def test_of_an_error_that_tune_has_wrapped_our_own_is_raised(loop: _Loop, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="no room"), Watch(cast("StudyLoop", loop), tmp_path, TAG).running():
        _fail_in_tune()


def _fail_in_tune() -> None:
    """Raise as Tune does what is raised in its callbacks."""
    with contextlib.ExitStack() as stack:
        stack.push(_wrap)
        raise LaunchError("no room")


def _wrap(*_: object) -> NoReturn:
    raise _TuneError


class _TuneError(Exception):
    """Stands for what Tune raises of errors in its callbacks."""


def _wait_under(watch: Watch) -> None:
    ends_s = time.monotonic() + _LIMIT_S
    with watch.running():
        while time.monotonic() < ends_s:
            time.sleep(0.01)
