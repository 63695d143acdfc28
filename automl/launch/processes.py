"""The process table: read it, signal a process in it, and find the processes of a trial by their tag.

A supervisor ends its process tree by itself. The tag is for the case that the supervisor and its owner were killed
together: every process of a trial inherits `TAG_VARIABLE`, and the kernel shows a process's environment to its user.
Standard library only, so that supervisors start fast.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

TAG_VARIABLE = "AUTOML_TRIAL"
"""Environment variable of every trial: ``STUDY/NUMBER/ATTEMPT``."""

_LIMIT_S = 5.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_START_TIME_FIELD = 19  # of /proc/PID/stat, counted after the closing bracket of the name

_libc = ctypes.CDLL(None, use_errno=True)


class Process(NamedTuple):
    """A line of the process table; `start` (clock ticks since boot) separates it from a later one of the same id."""

    pid: int
    parent: int
    start: int


def become_subreaper() -> None:
    """Make orphaned descendants children of this process instead of the machine's first process."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; exit at once if it is dead already."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def read_process(pid: int) -> Process | None:
    """Read one line of the process table; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[_START_TIME_FIELD]))


def read_processes() -> dict[int, Process]:
    """Read the process table once."""
    entries = (read_process(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 # names only
    return {process.pid: process for process in entries if process is not None}


def descendants(root: int, *, spare: Iterable[int] = ()) -> list[Process]:
    """Return the processes below ``root``, except those of ``spare`` and what is below them.

    The table is read once: two readings of a changing table can join a healthy process to a tree it is not part of.
    """
    children: dict[int, list[Process]] = {}
    for process in read_processes().values():
        children.setdefault(process.parent, []).append(process)
    spared = set(spare)
    found: list[Process] = []
    pending = [root]
    while pending:
        below = [child for child in children.get(pending.pop(), ()) if child.pid not in spared]
        found += below
        pending += [child.pid for child in below]
    return found


def send_signal(process: Process, number: signal.Signals) -> None:
    """Signal a process that was read from the table, never another one that took over its id."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        now = read_process(process.pid)
        if now is not None and now.start == process.start:
            signal.pidfd_send_signal(handle, number)
    except OSError:
        return
    finally:
        os.close(handle)


def find_leftovers(tag: str) -> list[Process]:
    """Return this user's processes whose tag is ``tag`` or below it (``demo-8f3a`` finds ``demo-8f3a/0007/1``).

    This process itself is never among them.
    """
    own = os.getpid()
    return [process for process in read_processes().values() if process.pid != own and has_tag(process.pid, tag)]


def end_leftovers(tag: str) -> int:
    """Kill every process that has the tag, or one below it; return how many there were. Gives up after 5 s."""
    seen: set[tuple[int, int]] = set()
    deadline_s = time.monotonic() + _LIMIT_S
    while (processes := find_leftovers(tag)) and time.monotonic() < deadline_s:
        for process in processes:
            seen.add((process.pid, process.start))
            send_signal(process, signal.SIGKILL)
        time.sleep(0.02)
    return len(seen)


def has_tag(pid: int, tag: str) -> bool:
    """Return whether a process has the tag or one below it, as far as this user may see."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    wanted = f"{TAG_VARIABLE}={tag}".encode()
    return any(variable == wanted or variable.startswith(wanted + b"/") for variable in variables)
