"""Probe a machine: read what it offers from the kernel and the file system, and evaluate nothing.

It is also sent to the nodes of a cluster. Only the standard library is imported, so a probe takes milliseconds, and a
second at most where the GPU driver is slow. `automl.preflight.machine` evaluates the result.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import resource
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automl.launch.command import search_path
from automl.launch.extras import MissingExtra, missing_extra
from automl.machine import detect_machine
from automl.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.machine import Machine

_DISTRIBUTIONS = ("automl-vision", "ray", "optuna", "mlflow", "torch")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 # read, never written
_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What a probe reads.

    Attributes:
        results: The results folder, absolute.
        paths: Files and folders that trials read.
        program: First word of the trials' command; None where nothing is known of it.
        marker: A file that the driver has put into the results folder; None for the driver's own machine.
    """

    results: str
    paths: tuple[str, ...] = ()
    program: str | None = None
    marker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What one machine offers.

    Attributes:
        host: Its name.
        results: The results folder of the request.
        machine: CPUs and GPUs that may be used.
        has_silent_gpus: The kernel has NVIDIA devices, and the driver's tool lists none.
        has_declared_gpus: RAY_OVERRIDE_RESOURCES names the GPUs that Ray counts.
        memory_bytes: Memory that processes can still get.
        free_bytes: Free space where the results go.
        free_inodes: Free inodes there; None where the file system does not count them.
        may_write: The results folder can be written, or made.
        has_marker: The marker is there; None where the request has none.
        shm_bytes: Free space in /dev/shm; None where there is none.
        open_files: Soft and hard limit of file descriptors.
        file_bytes: The largest file that may be written; None for no limit.
        processes: Processes and threads that this user may still start; None for no limit.
        has_loopback: A port of 127.0.0.1 can be bound.
        unreadable: Path of the request that cannot be read -> the reason.
        program: Where the command's program lies; None where it was not found.
        lacking: The extra of its package that the program needs and that is not installed; None for nothing.
        versions: Of Python and of our libraries, for those that are installed.
    """

    host: str
    machine: Machine
    results: str = "results"
    has_silent_gpus: bool = False
    has_declared_gpus: bool = False
    memory_bytes: int = 0
    free_bytes: int = 0
    free_inodes: int | None = None
    may_write: bool = True
    has_marker: bool | None = None
    shm_bytes: int | None = None
    open_files: tuple[int, int] = (0, 0)
    file_bytes: int | None = None
    processes: int | None = None
    has_loopback: bool = True
    unreadable: Mapping[str, str] = field(default_factory=dict)
    program: str | None = None
    lacking: MissingExtra | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def probe_machine(request: ProbeRequest) -> ProbeResult:
    """Probe the machine this runs on."""
    folder = nearest_folder(Path(request.results))
    volume = os.statvfs(folder)
    machine = detect_machine()
    # GPUs that the user has hidden are not silent.
    is_hidden = bool(machine.gpus) or "CUDA_VISIBLE_DEVICES" in os.environ
    memory = re.search(r"^MemAvailable:\s*(\d+)", _text("/proc/meminfo"), re.MULTILINE)
    reasons = {path: unreadable_reason(Path(path)) for path in request.paths}
    return ProbeResult(
        host=socket.gethostname(),
        results=request.results,
        machine=machine,
        has_silent_gpus=not is_hidden and any(Path("/dev").glob("nvidia[0-9]*")),
        has_declared_gpus='"GPU"' in os.environ.get("RAY_OVERRIDE_RESOURCES", ""),
        memory_bytes=int(memory[1]) * _KIB if memory else 0,
        free_bytes=volume.f_bavail * volume.f_frsize,
        free_inodes=volume.f_favail if volume.f_files else None,
        may_write=folder.is_dir() and os.access(folder, os.W_OK | os.X_OK),
        has_marker=None if request.marker is None else Path(request.marker).is_file(),
        shm_bytes=shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.exists() else None,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE),
        file_bytes=_limit(resource.RLIMIT_FSIZE),
        processes=_processes_left(),
        has_loopback=_can_bind(),
        unreadable={path: reason for path, reason in reasons.items() if reason is not None},
        program=shutil.which(request.program, path=search_path(os.environ)) if request.program else None,
        lacking=missing_extra(request.program) if request.program else None,
        versions=_installed_versions(),
    )


def nearest_folder(path: Path) -> Path:
    """Return the path, or the closest of its parents that exists."""
    return next((parent for parent in (path, *path.parents) if parent.exists()), Path("/"))


def unreadable_reason(path: Path) -> str | None:
    """Return why a file or folder cannot be read; None if it can."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            with open_regular(path) as stream:
                stream.read(1)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _installed_versions() -> dict[str, str]:
    """Return the version of Python and of each of our libraries that is installed, without importing any."""
    versions = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _text(file: str) -> str:
    """Return what a file of the kernel says; nothing where it cannot be read."""
    try:
        return Path(file).read_text(encoding="ascii")
    except OSError:
        return ""


def _limit(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft


def _processes_left() -> int | None:
    of_user, of_group = _limit(resource.RLIMIT_NPROC), _text("/sys/fs/cgroup/pids.max").strip()
    left = []
    if of_user is not None and os.getuid() != 0:  # the kernel does not count those of root
        left.append(of_user - _threads_of_user())
    if of_group.isdigit():
        left.append(int(of_group) - int(_text("/sys/fs/cgroup/pids.current") or 0))
    return min(left, default=None)


def _threads_of_user() -> int:
    count = 0
    for tasks in Path("/proc").glob("[0-9]*/task"):
        with suppress(OSError):  # it may end meanwhile
            count += len(os.listdir(tasks)) if tasks.stat().st_uid == os.getuid() else 0  # noqa: PTH208 # only counted
    return count


def _can_bind() -> bool:
    try:
        socket.create_server(("127.0.0.1", 0)).close()
    except OSError:
        return False
    return True
