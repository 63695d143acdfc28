"""A probe of this machine is true, and quick."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.preflight.probe import ProbeRequest, probe_machine, unreadable_reason

if TYPE_CHECKING:
    from pathlib import Path


def test_a_probe_of_this_machine_is_true(tmp_path: Path) -> None:
    probe = probe_machine(ProbeRequest(results=str(tmp_path / "new" / "results"), program=sys.executable))

    volume = os.statvfs(tmp_path)
    assert probe.machine.cpus == len(os.sched_getaffinity(0))
    assert probe.may_write
    assert abs(probe.free_bytes - volume.f_bavail * volume.f_frsize) < 2**30
    assert probe.program == sys.executable
    assert probe.has_loopback
    assert probe.versions["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert probe.has_marker is None


def test_a_probe_takes_less_than_half_a_second(tmp_path: Path) -> None:
    probe_machine(ProbeRequest(results=str(tmp_path)))  # what is read once per process is read
    times_s = []
    for _ in range(5):
        started_s = time.monotonic()
        probe_machine(ProbeRequest(results=str(tmp_path)))
        times_s.append(time.monotonic() - started_s)

    assert min(times_s) < 0.5


def test_paths_that_cannot_be_read_are_named_with_the_reason(tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.touch()

    probe = probe_machine(
        ProbeRequest(results=str(tmp_path), paths=(str(there), str(tmp_path), str(tmp_path / "absent")))
    )

    assert dict(probe.unreadable) == {str(tmp_path / "absent"): "No such file or directory"}


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert not probe_machine(ProbeRequest(results=str(tmp_path / "file" / "results"))).may_write


@pytest.mark.parametrize(("exists", "seen"), [(True, True), (False, False)])
def test_the_marker_shows_whether_a_folder_is_shared(tmp_path: Path, exists: bool, seen: bool) -> None:  # noqa: FBT001
    marker = tmp_path / "marker"
    if exists:
        marker.touch()

    assert probe_machine(ProbeRequest(results=str(tmp_path), marker=str(marker))).has_marker is seen


def test_a_folder_is_readable_when_it_can_be_listed(tmp_path: Path) -> None:
    assert unreadable_reason(tmp_path) is None
