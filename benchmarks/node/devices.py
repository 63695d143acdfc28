"""Which GPUs the trials of a study use: as they were given, and as the driver sees their processes while they run."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.node.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

_EVERY_S = 0.5
_TRIAL = re.compile(r"trials/(\d{4})")


class DeviceWatch(Watch):
    """Samples GPU processes in the background; each is assigned to the trial whose directory it works in."""

    def __init__(self) -> None:
        super().__init__(_EVERY_S)
        self._seen: dict[str, set[str]] = defaultdict(set)

    @property
    def are_disjoint(self) -> bool:
        """Whether no device was seen with two trials; True where the driver lists no processes."""
        used = [device for devices in self._seen.values() for device in devices]
        return len(used) == len(set(used))

    @property
    def description(self) -> str:
        """How many devices each trial was seen to use."""
        counts = "+".join(str(len(devices)) for _, devices in sorted(self._seen.items()))
        return f"the driver saw {counts}" if counts else "the driver lists no processes"

    def look(self) -> None:
        """Take one sample."""
        for pid, device in gpu_processes():
            trial = _trial_of(pid)
            if trial is not None:
                self._seen[trial].add(device)


def gpu_processes() -> list[tuple[str, str]]:
    """Return (process id, UUID of a GPU) as the driver lists them; a process may hold memory on several GPUs."""
    query = ["nvidia-smi", "--query-compute-apps=pid,gpu_uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    pairs = (line.split(", ") for line in listed.splitlines())
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]  # noqa: PLR2004 - else a message of the driver


def describe_granted(granted: Sequence[Sequence[str]]) -> str:
    """Return the devices that trials were given, a group for each trial."""
    return " | ".join(",".join(devices) or "none" for devices in granted)


def _trial_of(pid: str) -> str | None:
    try:
        words = str(Path(f"/proc/{pid}/cwd").readlink()) + Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    found = _TRIAL.search(words)
    return found[1] if found else None
