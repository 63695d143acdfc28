"""Compare what a machine offers with what a study needs. Pure; `automl.preflight.probe` reads the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import counted
from automl.machine import shown_bytes
from automl.preflight.findings import Finding, bad, doubt, good

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from automl.preflight.probe import ProbeResult

_GIB = 1024**3
_MIB = 1024**2
_LEAST_DISK = 200 * _MIB
_SCARCE_DISK = 5 * _GIB
_LEAST_INODES = 1000
_SCARCE_INODES = 100_000
# A worker of a data loader passes each batch through /dev/shm; Docker gives a container 64 MiB of it.
_LEAST_SHM = 128 * _MIB
_SHM_PER_TRIAL = 1 * _GIB
_LEAST_FILES = 256
_FILES_PER_TRIAL = 512
# Ray's own file for objects has 100 MB; checkpoints come on top.
_LEAST_FILE = 256 * _MIB
_SCARCE_FILE = 5 * _GIB
# Threads of Ray and of the study itself, and of the worker of each trial: 110 and 26 were counted.
_LEAST_PROCESSES = 110
_PROCESSES_PER_TRIAL = 30
_SCARCE_PROCESSES = 512
# Of a study whose trials slept: 0.8 GiB with Ray's servers, some of it only for a while, and 0.13 GiB for each trial.
_LEAST_MEMORY = 400 * _MIB
_MEMORY_PER_TRIAL = 130 * _MIB
_SCARCE_MEMORY = 800 * _MIB
_TRAINING_MEMORY = 512 * _MIB
_BUSY_GPU = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a study needs of each machine.

    Attributes:
        jobs: Trials that may run there at once.
        gpus_per_trial: GPUs of a trial; 0 for the CPU.
        loader_workers: Processes of a trial's data loaders; None where the spec does not say.
        disk_bytes: What the study may write; None where this is unknown.
        program: First word of the trials' command; None where it is part of a container image.
        is_image_chosen: Trials run in a container, with its own libraries.
        needs_cuda: The trials' program computes on its GPUs; for one that does not, declared GPUs are enough.
    """

    jobs: int = 1
    gpus_per_trial: float = 0.0
    loader_workers: int | None = None
    disk_bytes: int | None = None
    program: str | None = None
    is_image_chosen: bool = False
    needs_cuda: bool = True


def check_machine(probe: ProbeResult, demand: Demand) -> list[Finding]:
    """Return one row for each property of a machine."""
    soft, hard = probe.open_files
    return [
        *_gpus(probe, demand),
        *_memory(probe, demand),
        _disk(probe, demand),
        _inodes(probe),
        _shared_memory(probe, demand),
        _graded(
            "open files",
            f"{soft} file descriptors (hard limit {hard})",
            soft,
            (_LEAST_FILES, _FILES_PER_TRIAL * demand.jobs),
            fix="ulimit -n 65536 before the start",
        ),
        *_largest_file(probe),
        _processes(probe, demand),
        *_program(probe, demand),
    ]


def location_finding(probe: ProbeResult, results: Path) -> Finding:
    """Return the row that says where trials will run and where their files go."""
    memory = f", {shown_bytes(probe.memory_bytes)} of memory free" if probe.memory_bytes else ""
    return good("place", f"{probe.host}: {probe.machine.cpus} CPUs{memory}; results in {results}")


def _gpus(probe: ProbeResult, demand: Demand) -> Iterator[Finding]:
    gpus = probe.machine.gpus
    if demand.gpus_per_trial > len(gpus):
        found = f"{len(gpus) or 'no'} GPU{'' if len(gpus) == 1 else 's'}"
        fix = "lower --gpus-per-trial, or name another machine with --ray-address"
        yield bad("gpus", found, expected=f"{demand.gpus_per_trial:g} for one trial", fix=fix)
    elif not gpus and probe.has_silent_gpus:
        found = "NVIDIA devices whose driver does not answer: trials would train on the CPU"
        yield doubt("gpus", found, fix="run nvidia-smi and fix the reported problem")
    elif not gpus:
        yield good("gpus", f"none: trials train on {probe.machine.cpus} CPUs")
    else:
        names = ", ".join(sorted({f"{gpu.name} ({gpu.memory_gib:.0f} GiB)" for gpu in gpus}))
        driver = next((gpu.driver for gpu in gpus if gpu.driver), "unknown")
        yield good("gpus", f"{len(gpus)} x {names}, driver {driver}")
        yield from _use_of_gpus(probe, demand)


def _use_of_gpus(probe: ProbeResult, demand: Demand) -> Iterator[Finding]:
    busy = [gpu for gpu in probe.machine.gpus if gpu.memory_gib and gpu.used_gib / gpu.memory_gib > _BUSY_GPU]
    if busy:
        listed = ", ".join(f"{gpu.index} ({gpu.used_gib:.0f} GiB in use)" for gpu in busy)
        fix = "choose free ones with CUDA_VISIBLE_DEVICES, or wait"
        yield doubt("gpu memory", f"other processes use GPU {listed}", fix=fix)
    torch = probe.versions.get("torch", "")
    if torch.endswith("+cpu") and demand.gpus_per_trial and demand.needs_cuda and not demand.is_image_chosen:
        found, fix = f"{torch}, built without CUDA", "install torch for CUDA in this place"
        if probe.has_declared_gpus:
            yield doubt("torch", f"{found}; the GPUs are only declared, so trials compute on the CPU", fix=fix)
        else:
            yield bad("torch", found, expected="a CUDA build", fix=fix)


def _memory(probe: ProbeResult, demand: Demand) -> Iterator[Finding]:
    if not probe.memory_bytes:
        return
    found = f"{shown_bytes(probe.memory_bytes)} free for {counted(demand.jobs, 'trial')} at once"
    limits = _LEAST_MEMORY + _MEMORY_PER_TRIAL * demand.jobs, _SCARCE_MEMORY + _TRAINING_MEMORY * demand.jobs
    fix = "lower --jobs, or end what else uses memory"
    yield _graded("memory", found, probe.memory_bytes, limits, fix=fix, show=shown_bytes)


def _disk(probe: ProbeResult, demand: Demand) -> Finding:
    if not probe.may_write:
        found, fix = (
            f"{probe.results}, where nothing can be written",
            "choose another one with --results or AUTOML_RESULTS",
        )
        return bad("--results", found, expected="a folder that this user may write", fix=fix)
    needed = demand.disk_bytes or 0
    found = f"{shown_bytes(probe.free_bytes)} free" + (f", the study may write {shown_bytes(needed)}" if needed else "")
    limits = (max(_LEAST_DISK, needed), 2 * needed or _SCARCE_DISK)
    fix = "free some space, choose another folder with --results, or run fewer trials"
    return _graded("disk", found, probe.free_bytes, limits, fix=fix, show=shown_bytes)


def _inodes(probe: ProbeResult) -> Finding:
    free = probe.free_inodes
    if free is None:
        return good("inodes", "not counted by this file system")
    fix = "delete files there, or choose another folder with --results"
    return _graded("inodes", f"{free} free", free, (_LEAST_INODES, _SCARCE_INODES), fix=fix)


def _shared_memory(probe: ProbeResult, demand: Demand) -> Finding:
    free, workers = probe.shm_bytes, demand.loader_workers
    found = "no /dev/shm" if free is None else f"{shown_bytes(free)} free in /dev/shm"
    if workers == 0:
        return good("shared memory", f"{found}; the data loaders have no workers")
    found = f"{found} for {counted(demand.jobs, 'trial')} at once"
    # Where the spec does not say how many workers there are, there may be none.
    limits = (_LEAST_SHM if workers else 0, _SHM_PER_TRIAL * demand.jobs)
    fix = "give the container or job more (docker run --shm-size 16g, or --ipc=host), or set the loaders' workers to 0"
    return _graded("shared memory", found, free or 0, limits, fix=fix, show=shown_bytes)


def _graded(
    check: str, found: str, amount: int, limits: tuple[int, int], *, fix: str, show: Callable[[int], str] = str
) -> Finding:
    """Return a row about an amount: it fails below the first limit, and warns below the second."""
    least, enough = limits
    if amount < least:
        return bad(check, found, expected=f"at least {show(least)}", fix=fix)
    return doubt(check, found, expected=f"at least {show(enough)}", fix=fix) if amount < enough else good(check, found)


def _largest_file(probe: ProbeResult) -> Iterator[Finding]:
    if probe.file_bytes is not None:
        found, fix = f"at most {shown_bytes(probe.file_bytes)}", "ulimit -f unlimited before the start"
        yield _graded("file size", found, probe.file_bytes, (_LEAST_FILE, _SCARCE_FILE), show=shown_bytes, fix=fix)


def _processes(probe: ProbeResult, demand: Demand) -> Finding:
    left, least = probe.processes, _LEAST_PROCESSES + _PROCESSES_PER_TRIAL * demand.jobs
    if left is not None and left < max(least, _SCARCE_PROCESSES):
        found = f"{max(0, left)} more processes and threads"
        fix = "raise the limit (ulimit -u, or pids.max of the container): Ray and data loaders start many"
        if left < least:
            return bad("processes", found, expected=f"at least {least}", fix=fix)
        return doubt("processes", found, expected=str(_SCARCE_PROCESSES), fix=fix)
    if not probe.has_loopback:
        fix = "bring the loopback interface up; Ray, and MLflow's server, need it"
        return bad("ports", "no port of 127.0.0.1 can be bound", fix=fix)
    return good("ports", f"free ones on 127.0.0.1; {'no limit of' if left is None else left} processes")


def _program(probe: ProbeResult, demand: Demand) -> Iterator[Finding]:
    lacking = probe.lacking
    if demand.program is not None and probe.program is not None and lacking is not None:
        found = f"{demand.program} cannot work: {', '.join(lacking.packages)} not installed"
        yield bad("program", found, expected=f"the extra {lacking.name}", fix=f"pip install '{lacking.name}'")
    elif demand.program is not None and probe.program is not None:
        yield good("program", probe.program)
    elif demand.program is not None:
        found = f"no {demand.program} in this environment or on PATH"
        expected, fix = "the program that the command starts", "install it here, or let a container bring it"
        yield bad("program", found, expected=expected, fix=fix)
