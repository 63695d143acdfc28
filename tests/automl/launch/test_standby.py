"""A process that has started the driver of the next trial's devices ahead."""

from __future__ import annotations

import os
import secrets
import signal
import time
from typing import TYPE_CHECKING

import pytest

from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.local import WarmLauncher
from automl.launch.processes import descendants, find_leftovers, send_signal
from automl.testing.launchers import unique_tag, wait_for, wait_for_end, wait_until_gone
from tests.automl.launch.test_local import install_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.launch.processes import Process

PROGRAM = """
import os
ready = "nothing"
def preload():
    pass
def stand_by():
    global ready
    ready = os.environ["CUDA_VISIBLE_DEVICES"]
    open("CHILD.waits", "w").close()
    raise RuntimeError("the trial reports what is wrong")
def main():
    print(ready, os.environ.get("CUDA_VISIBLE_DEVICES"), os.getpid(), flush=True)
"""


class Slot:
    """A launcher whose next trial is waited for at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = secrets.token_hex(8)
        self.launcher = WarmLauncher(self.session, "toy-trainer", log=folder / "server.log")

    def run(self, device: str | None) -> list[str]:
        """Run a trial on a device; return what stood by in its process, what it sees, and its process id."""
        extra = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        tag = unique_tag()
        log = self.folder / tag.replace("/", "-")
        request = LaunchRequest(
            command=("toy-trainer",),
            directory=self.folder,
            environment=trial_environment(os.environ, tag=tag, extra=extra),
            log=log,
            tag=tag,
            gpus=() if device is None else (device,),
        )
        assert wait_for(self.launcher.launch(request)) == 0
        return log.read_text(encoding="utf-8").split()

    def waiting(self) -> tuple[Process, ...]:
        """Wait until a child stands by; return the server, its supervisor and the child."""
        deadline = time.monotonic() + 60.0
        while not list(self.folder.glob("*.waits")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        found = find_leftovers(f"{self.session}-server")
        (server,) = (process for process in found if process.parent not in {other.pid for other in found})
        return (server, *descendants(server.pid))


@pytest.fixture
def slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    install_program(tmp_path / "program", monkeypatch, PROGRAM.replace("CHILD", str(tmp_path / "child")))
    monkeypatch.setattr("automl.launch.standby._AFTER_S", 0.0)
    place = Slot(tmp_path)
    yield place
    place.launcher.close()
    wait_until_gone(f"{place.session}-server", limit_s=60.0)


def test_the_next_trial_of_the_same_devices_finds_their_driver_started(slot: Slot) -> None:
    assert slot.run("3")[:2] == ["nothing", "3"]
    before = {process.pid for process in slot.waiting()}

    ready, seen, pid = slot.run("3")

    assert (ready, seen) == ("3", "3")
    assert int(pid) in before


def test_a_trial_of_other_devices_gets_a_process_that_has_seen_none(slot: Slot) -> None:
    slot.run("3")
    slot.waiting()

    assert slot.run("4")[:2] == ["nothing", "4"]
    assert slot.run("3")[:2] == ["3", "3"]


def test_nothing_stands_by_where_trials_have_no_devices(slot: Slot) -> None:
    assert [slot.run(None)[0] for _ in range(2)] == ["nothing", "nothing"]
    assert not list(slot.folder.glob("*.waits"))


@pytest.mark.parametrize("which", ["the server", "what waits"])
def test_a_trial_runs_though_what_stood_by_for_it_was_killed(slot: Slot, which: str) -> None:
    slot.run("3")
    server, *below = slot.waiting()
    killed = [server] if which == "the server" else below
    for process in killed:
        send_signal(process, signal.SIGKILL)
    wait_for_end((server, *below) if which == "the server" else killed, limit_s=60.0)

    assert [slot.run("3")[1] for _ in range(2)] == ["3", "3"]
