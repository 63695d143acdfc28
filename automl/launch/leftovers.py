"""Find and end processes of earlier studies, trials and attempts by the tag in their environment.

A guard ends its tree by itself; this is for the case that guard and owner were killed together. Every process of a
trial inherits `TAG_VARIABLE`, and the kernel shows a process's environment to its user.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from automl.launch.supervisor import Process, read_processes, send_signal

TAG_VARIABLE = "AUTOML_TRIAL"
"""Environment variable of every trial: ``STUDY/NUMBER/ATTEMPT``."""

_LIMIT_S = 5.0


def find_leftovers(tag: str) -> list[Process]:
    """Return this user's processes whose tag is ``tag`` or below it (``demo-8f3a`` finds ``demo-8f3a/0007/1``).

    This process itself is never among them.
    """
    own = os.getpid()
    return [process for process in read_processes().values() if process.pid != own and has_tag(process.pid, tag)]


def end_leftovers(tag: str) -> int:
    """Kill every process that carries the tag; return how many there were. Gives up after 5 s.

    Args:
        tag: A trial's tag or a study's prefix of it. Never empty.
    """
    seen: set[tuple[int, int]] = set()
    deadline_s = time.monotonic() + _LIMIT_S
    pause_s = 0.01
    while (processes := find_leftovers(tag)) and time.monotonic() < deadline_s:
        for process in processes:
            seen.add((process.pid, process.start))
            send_signal(process, signal.SIGKILL)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.2)
    return len(seen)


def has_tag(pid: int, tag: str) -> bool:
    """Tell whether a process carries the tag or one below it, as far as this user may see."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    prefix = f"{TAG_VARIABLE}=".encode()
    tags = [variable[len(prefix) :].decode("utf-8", "replace") for variable in variables if variable.startswith(prefix)]
    return any(found == tag or found.startswith(f"{tag}/") for found in tags)
