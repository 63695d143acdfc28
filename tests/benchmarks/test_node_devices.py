"""Which trial a GPU process belongs to, as a made-up driver lists them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.node.devices import DeviceWatch, describe_granted, gpu_processes
from benchmarks.node.logical import offer_logical_gpus
from benchmarks.node.node import gpu_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Driver:
    """A stand-in for nvidia-smi and processes that wait in directories of trials."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def lists(self, text: str) -> None:
        tool = self.folder / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\ncat <<END\n{text}\nEND\n", encoding="utf-8")
        tool.chmod(0o755)

    def trial(self, number: int) -> int:
        directory = self.folder / "study" / "trials" / f"{number:04d}"
        directory.mkdir(parents=True)
        process = subprocess.Popen([sys.executable, "-c", "input()"], cwd=directory, stdin=subprocess.PIPE)
        self.started.append(process)
        return process.pid


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    made = Driver(tmp_path)
    yield made
    for process in made.started:
        process.communicate(b"\n")


def test_devices_of_two_trials_are_disjoint_until_one_process_touches_both(driver: Driver) -> None:
    first, second = driver.trial(0), driver.trial(1)
    watch = DeviceWatch()

    driver.lists(f"{first}, GPU-a\n{second}, GPU-b")
    watch.look()
    assert watch.are_disjoint
    assert watch.description == "the driver saw 1+1"

    driver.lists(f"{first}, GPU-a\n{first}, GPU-b\n{second}, GPU-b")
    watch.look()
    assert not watch.are_disjoint


def test_processes_outside_trials_belong_to_nobody(driver: Driver) -> None:
    watch = DeviceWatch()

    driver.lists(f"{os.getpid()}, GPU-a\n999999999, GPU-b\nNo devices were found")
    watch.look()

    assert gpu_processes() == [(str(os.getpid()), "GPU-a"), ("999999999", "GPU-b")]
    assert watch.description == "the driver lists no processes"


def test_logical_gpus_are_as_many_as_were_asked_for_and_hold_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", "")

    offer_logical_gpus(8, tmp_path)

    assert gpu_names() == ["Logical GPU"] * 8
    assert gpu_processes() == []
    assert os.environ["RAY_OVERRIDE_RESOURCES"] == '{"GPU": 8}'


def test_granted_devices_are_shown_trial_by_trial() -> None:
    assert describe_granted([("0", "1"), ("2", "3")]) == "0,1 | 2,3"
    assert describe_granted([()]) == "none"
