"""What a machine offers is compared with what a study needs: each limit has its row, its level and its fix."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from automl.launch.extras import MissingExtra
from automl.machine import Gpu, Machine
from automl.preflight.findings import Finding, Level
from automl.preflight.machine import Demand, check_machine, location_finding
from automl.preflight.probe import ProbeResult

GIB = 2**30
GPUS = tuple(
    Gpu(index=i, uuid=f"GPU-{i}", name="NVIDIA H200", memory_gib=140.4, used_gib=0.5, driver="570.1") for i in range(2)
)
HEALTHY = ProbeResult(
    host="node1",
    machine=Machine(cpus=32, gpus=GPUS),
    memory_bytes=200 * GIB,
    free_bytes=900 * GIB,
    free_inodes=10_000_000,
    shm_bytes=64 * GIB,
    open_files=(65536, 65536),
    program="/usr/bin/depth_net",
)
DEMAND = Demand(jobs=2, gpus_per_trial=1, loader_workers=4, program="depth_net")


def row(check: str, demand: Demand = DEMAND, **changes: Any) -> Finding:  # noqa: ANN401 - fields of the probe
    found = check_machine(dataclasses.replace(HEALTHY, **changes), demand)
    return next(finding for finding in found if finding.check == check)


def test_a_healthy_machine_has_only_good_rows() -> None:
    found = check_machine(HEALTHY, DEMAND)

    assert {finding.level for finding in found} == {Level.OK}
    assert row("gpus").found == "2 x NVIDIA H200 (140 GiB), driver 570.1"


@pytest.mark.parametrize(
    ("check", "changes", "level", "said"),
    [
        ("gpus", {"machine": Machine(cpus=2)}, Level.FAIL, "no GPU"),
        ("--results", {"may_write": False}, Level.FAIL, "nothing can be written"),
        ("disk", {"free_bytes": 100 * 2**20}, Level.FAIL, "100.0 MiB free"),
        ("disk", {"free_bytes": GIB}, Level.WARN, "1.0 GiB free"),
        ("inodes", {"free_inodes": 20}, Level.FAIL, "20 free"),
        ("inodes", {"free_inodes": 20_000}, Level.WARN, "20000 free"),
        ("inodes", {"free_inodes": None}, Level.OK, "not counted"),
        ("memory", {"memory_bytes": 640 * 2**20}, Level.FAIL, "640.0 MiB free for 2 trials at once"),
        ("memory", {"memory_bytes": 670 * 2**20}, Level.WARN, "670.0 MiB free"),
        ("memory", {"memory_bytes": 2 * GIB}, Level.OK, "2.0 GiB free"),
        ("shared memory", {"shm_bytes": 64 * 2**20}, Level.FAIL, "64.0 MiB"),
        ("shared memory", {"shm_bytes": None}, Level.FAIL, "no /dev/shm"),
        ("shared memory", {"shm_bytes": GIB}, Level.WARN, "2 trials at once"),
        ("open files", {"open_files": (128, 4096)}, Level.FAIL, "128 file descriptors"),
        ("open files", {"open_files": (512, 4096)}, Level.WARN, "512 file descriptors"),
        ("file size", {"file_bytes": 2**20}, Level.FAIL, "at most 1.0 MiB"),
        ("file size", {"file_bytes": GIB}, Level.WARN, "at most 1.0 GiB"),
        ("processes", {"processes": -3}, Level.FAIL, "0 more"),
        ("processes", {"processes": 169}, Level.FAIL, "169 more"),
        ("processes", {"processes": 170}, Level.WARN, "170 more"),
        ("ports", {"processes": 512}, Level.OK, "512 processes"),
        ("ports", {"has_loopback": False}, Level.FAIL, "127.0.0.1"),
        ("program", {"program": None}, Level.FAIL, "no depth_net"),
        ("torch", {"versions": {"torch": "2.13.0+cpu"}}, Level.FAIL, "without CUDA"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_shortage_has_its_row(check: str, changes: dict[str, Any], level: Level, said: str) -> None:
    finding = row(check, **changes)

    assert finding.level is level
    assert said in finding.found
    assert finding.fix or level is Level.OK


def test_a_study_larger_than_the_disk_is_refused_and_a_tight_one_is_doubted() -> None:
    needs = dataclasses.replace(DEMAND, disk_bytes=100 * GIB)

    assert row("disk", needs, free_bytes=90 * GIB).level is Level.FAIL
    assert row("disk", needs, free_bytes=150 * GIB).level is Level.WARN
    assert row("disk", needs, free_bytes=300 * GIB).level is Level.OK


def test_gpus_that_others_use_are_named() -> None:
    busy = (GPUS[0], dataclasses.replace(GPUS[1], used_gib=80.0))

    assert "GPU 1 (80 GiB in use)" in row("gpu memory", machine=Machine(cpus=4, gpus=busy)).found


def test_a_driver_that_does_not_answer_is_doubted_where_a_cpu_would_do() -> None:
    on_cpu = dataclasses.replace(DEMAND, gpus_per_trial=0.0)

    finding = row("gpus", on_cpu, machine=Machine(cpus=2), has_silent_gpus=True)

    assert finding.level is Level.WARN
    assert "nvidia-smi" in finding.fix


def test_loaders_without_workers_need_no_shared_memory() -> None:
    assert row("shared memory", dataclasses.replace(DEMAND, loader_workers=0), shm_bytes=0).level is Level.OK


def test_memory_that_is_unknown_has_no_row() -> None:
    rows = check_machine(dataclasses.replace(HEALTHY, memory_bytes=0), DEMAND)

    assert "memory" not in {finding.check for finding in rows}


def test_the_place_names_host_and_results() -> None:
    assert location_finding(HEALTHY, Path("/r")).found == "node1: 32 CPUs, 200.0 GiB of memory free; results in /r"


def test_a_trainer_that_does_not_compute_on_gpus_needs_no_cuda() -> None:
    found = check_machine(
        dataclasses.replace(HEALTHY, versions={"torch": "2.13.0+cpu"}), dataclasses.replace(DEMAND, needs_cuda=False)
    )

    assert {finding.level for finding in found} == {Level.OK}


@pytest.mark.parametrize(("is_declared", "level"), [(True, Level.WARN), (False, Level.FAIL)])
def test_a_processor_build_beside_gpus_is_an_error_unless_they_are_only_declared(
    *, is_declared: bool, level: Level
) -> None:
    assert row("torch", versions={"torch": "2.13.0+cpu"}, has_declared_gpus=is_declared).level is level


def test_a_program_whose_extra_is_missing_cannot_work() -> None:
    lacking = MissingExtra("automl-vision[depth]", ("torch", "h5py"))

    found = row("program", lacking=lacking)

    assert found.level is Level.FAIL
    assert found.found.endswith("cannot work: torch, h5py not installed")
    assert found.fix == "pip install 'automl-vision[depth]'"
