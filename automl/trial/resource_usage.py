"""What a running trial takes of its machine: memory and processor time of its process tree, and its GPUs.

Memory is the proportional set size: a page that several processes share is counted once in all, so a trial with workers
is not larger than it is. Of a GPU the memory is that of the trial's own processes where the driver names them, else of
the whole device. Names begin with ``system/``, which MLflow shows on a page of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automl import clock
from automl.launch.processes import descendants, read_process
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PEAK = "memory_gib"
"""Metric: the largest memory that was seen, of the GPUs where the trial has any, else of its processes."""

_FIRST_S = 0.5
_INTERVAL_S = 5.0
_DRIVER_LIMIT_S = 10.0
_KIB_PER_GIB = 1024 * 1024
_MIB_PER_GIB = 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the name in parentheses: user and system time, of the process and its dead children.
_CPU_FIELDS = slice(11, 15)


@dataclass(slots=True)
class ResourceWatch:
    """Samples in a thread of its own, so that a driver that hangs delays nobody.

    Attributes:
        root_pid: Returns the first process of the tree; None while there is none, or where it cannot be seen.
        gpus: Devices of the trial, as CUDA_VISIBLE_DEVICES entries.
        report: Gets a measurement without an epoch for every sample.
        peak_gib: See `PEAK`; None before the first sample.
    """

    root_pid: Callable[[], int | None]
    gpus: Sequence[str]
    report: Callable[[Measurement], None]
    interval_s: float = _INTERVAL_S
    peak_gib: float | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)
    _cpu: tuple[float, float] | None = None

    def start(self) -> None:
        """Begin to sample."""
        threading.Thread(target=self._watch, name="trial resources", daemon=True).start()

    def stop(self) -> None:
        """Sample no more; does not wait for a driver that hangs."""
        self._is_over.set()

    def _watch(self) -> None:
        delay_s = min(_FIRST_S, self.interval_s)
        while not self._is_over.wait(delay_s):
            delay_s = self.interval_s
            values = self.sample()
            if values and not self._is_over.is_set():
                self.report(Measurement(values=values, unix_time_s=clock.unix_time_s()))

    def sample(self) -> dict[str, float]:
        """Look once; return metric name -> value, empty if nothing can be seen."""
        pid = self.root_pid()
        tree = process_tree(pid) if pid is not None else []
        values: dict[str, float] = {}
        if tree:
            values["system/memory_gib"] = memory_gib(tree)
            values |= self._processors(tree)
        devices = gpu_values(self.gpus, tree)
        values |= devices
        held = sum(value for name, value in devices.items() if name.endswith("_memory_gib"))
        used = held if devices else values.get("system/memory_gib")
        if used is not None:
            self.peak_gib = max(self.peak_gib or 0.0, used)
        return values

    def _processors(self, tree: Iterable[int]) -> dict[str, float]:
        now = (time.monotonic(), sum(_cpu_s(pid) for pid in tree))
        before, self._cpu = self._cpu, now
        if before is None or now[0] <= before[0]:
            return {}
        # Processes that ended in between take their time with them.
        return {"system/cpu_cores": max(0.0, (now[1] - before[1]) / (now[0] - before[0]))}


def process_tree(pid: int) -> list[int]:
    """Return a process and all its descendants that live; empty if it is gone."""
    return [] if read_process(pid) is None else [pid, *(process.pid for process in descendants(pid))]


def memory_gib(pids: Iterable[int]) -> float:
    """Return the memory that processes hold together, shared pages counted once, in GiB."""
    return sum(_memory_kib(pid) for pid in pids) / _KIB_PER_GIB


def _cpu_s(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(int(value) for value in fields[_CPU_FIELDS]) / _TICKS_PER_S


def gpu_values(gpus: Sequence[str], tree: Iterable[int]) -> dict[str, float]:
    """Return memory and utilisation of devices, ``system/gpu_0_memory_gib`` ...; empty without devices or driver."""
    if not gpus:
        return {}
    devices = _query("--query-gpu=uuid,memory.used,utilization.gpu", gpus)
    own = set(tree)
    held: dict[str, float] = {}
    for row in _query("--query-compute-apps=gpu_uuid,pid,used_memory", gpus):
        if row[1].isdigit() and int(row[1]) in own and (used := _number(row[2])) is not None:
            held[row[0]] = held.get(row[0], 0.0) + used
    values: dict[str, float] = {}
    for index, (uuid, used_mib, busy) in enumerate(devices):
        memory = held.get(uuid, _number(used_mib))
        if memory is not None:
            values[f"system/gpu_{index}_memory_gib"] = memory / _MIB_PER_GIB
        if (percent := _number(busy)) is not None:
            values[f"system/gpu_{index}_utilization_percent"] = percent
    return values


def _memory_kib(pid: int) -> int:
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found = next((line.split()[1] for line in lines if line.startswith(key)), None)
        if found is not None:
            return int(found)
    return 0


def _query(question: str, gpus: Sequence[str]) -> list[tuple[str, str, str]]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, question, "--format=csv,noheader,nounits", "-i", ",".join(gpus)]
    try:
        answer = subprocess.run(  # noqa: S603 # a fixed query to the driver's own tool
            command, capture_output=True, text=True, timeout=_DRIVER_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [tuple(part.strip() for part in line.split(",")) for line in answer.stdout.splitlines()]
    return [(row[0], row[1], row[2]) for row in rows if len(row) == len(("uuid", "memory", "use"))]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # [N/A]
