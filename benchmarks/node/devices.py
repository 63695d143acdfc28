"""Which GPUs the processes of each trial really use, as the driver sees it, while a study runs."""

from __future__ import annotations

import re
import subprocess
import threading
from collections import defaultdict
from pathlib import Path
from typing import Self

_EVERY_S = 0.5
_TRIAL = re.compile(r"trials/(\d{4})")


class DeviceWatch:
    """Samples GPU processes in the background; each is assigned to the trial whose directory it works in."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    @property
    def are_disjoint(self) -> bool:
        """Whether no device was used by two trials; True where the driver lists no processes."""
        used = [device for devices in self._seen.values() for device in devices]
        return len(used) == len(set(used))

    @property
    def description(self) -> str:
        """How many devices each trial used."""
        counts = "+".join(str(len(devices)) for _, devices in sorted(self._seen.items()))
        return f"{counts} devices of {len(self._seen)} trials" if counts else "the driver lists no processes"

    @staticmethod
    def gpu_processes() -> dict[str, str]:
        """Return process id -> UUID of its GPU, as the driver lists them."""
        query = ["nvidia-smi", "--query-compute-apps=pid,gpu_uuid", "--format=csv,noheader"]
        try:
            listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return {}
        return dict(line.split(", ") for line in listed.splitlines() if line.count(", ") == 1)

    def _watch(self) -> None:
        while not self._ends.wait(_EVERY_S):
            for pid, device in self.gpu_processes().items():
                trial = _trial_of(pid)
                if trial is not None:
                    self._seen[trial].add(device)


def _trial_of(pid: str) -> str | None:
    try:
        words = str(Path(f"/proc/{pid}/cwd").readlink()) + Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    found = _TRIAL.search(words)
    return found[1] if found else None
