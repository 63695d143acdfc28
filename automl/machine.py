"""What this machine offers to trials: CPUs and GPUs, as far as this process may use them; and how it reaches itself."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUERY = ("--query-gpu=index,uuid,name,memory.total,memory.used,driver_version", "--format=csv,noheader,nounits")
# A healthy nvidia-smi answers in under a second; a hanging driver must not block a plan.
_TIMEOUT_S = 10
_KIB = 1024
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def direct_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which no server on this machine is asked through a proxy; none without a proxy."""
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in environment):
        return {}
    known = ",".join(environment.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    if known.strip(" ,") == "*":
        return {}
    hosts = dict.fromkeys([*(host.strip() for host in known.split(",") if host.strip()), *_LOOPBACK])
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(hosts))


def shown_bytes(count: float) -> str:
    """Return a number of bytes for people: ``12 B``, ``3.4 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _KIB:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIB
    return f"{count:.1f} TiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One visible GPU.

    Attributes:
        index: On the host.
        uuid: ``GPU-...``.
        name: Of the product.
        memory_gib: In all.
        used_gib: In use by any process.
        driver: Its version; empty where it is unknown.
    """

    index: int
    uuid: str
    name: str
    memory_gib: float
    used_gib: float = 0.0
    driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """CPUs and GPUs that this process may use."""

    cpus: int
    gpus: tuple[Gpu, ...] = ()


def detect_machine() -> Machine:
    """Return what this machine offers; CPU affinity and CUDA_VISIBLE_DEVICES are respected."""
    return Machine(cpus=len(os.sched_getaffinity(0)), gpus=_visible(query_gpus()))


def threads_of(share: float, limit: int | None) -> int:
    """Return how many threads a trial has that gets a share of the CPUs, at most ``limit``; None for no limit."""
    return max(1, min(int(share), limit or int(share)))


def most_threads() -> int | None:
    """Return what OMP_NUM_THREADS says; None where it is not set, or is no number above 0."""
    # OpenMP takes a list, one number for each level of nesting.
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if re.fullmatch(r"0*[1-9]\d{0,5}", text) else None


def query_gpus() -> tuple[Gpu, ...]:
    """Return every GPU that the driver lists, whatever this process may use."""
    return _query(shutil.which("nvidia-smi"))


def query_gpus_now() -> tuple[Gpu, ...]:
    """Return the GPUs that this process may use, with the memory in use at this moment."""
    return _visible(_query.__wrapped__(shutil.which("nvidia-smi")))


@functools.cache  # with many GPUs the driver needs up to a second
def _query(program: str | None) -> tuple[Gpu, ...]:
    if program is None:
        return ()
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed query to the driver's own tool
            [program, *_QUERY], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_parse_gpu(line) for line in answer.stdout.splitlines() if line.count(",") >= 3)  # noqa: PLR2004


def _parse_gpu(line: str) -> Gpu:
    index, uuid, name, total, used, driver = ([part.strip() for part in line.split(",")] + ["", ""])[:6]
    return Gpu(index=int(index), uuid=uuid, name=name, memory_gib=_gib(total), used_gib=_gib(used), driver=driver)


def _gib(mebibytes: str) -> float:
    return float(mebibytes) / 1024 if mebibytes.replace(".", "").isdigit() else 0.0


def _visible(gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return gpus
    entries = [entry.strip() for entry in wanted.split(",") if entry.strip()]
    return tuple(gpu for entry in entries for gpu in gpus if entry in {str(gpu.index), gpu.uuid})
