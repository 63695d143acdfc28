"""Replaces the two agents that Ray's node process requires, in a local Ray that needs neither.

The real ones serve a dashboard and install packages, and take 2 s of a processor each to start. The node process waits
for their ports, in one file each, and ends if an agent ends; so this writes the files and runs as long as its parent.
Then it ends the workers that are being started: those see only seconds later that their node process is gone.
Started by path, without the packages of the environment: standard library only.

    python -I -S agent.py FOLDER SUFFIX NAME...     writes -1, "not in use", to FOLDER/NAME_SUFFIX
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOOK_S = 5.0
_TIMES, _PAUSE_S = 5, 0.2


def main(arguments: list[str]) -> None:
    """Write the files and wait for the end."""
    folder, suffix, *names = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGUSR1), 0, 0, 0)
    parent = os.getppid()
    for name in names:
        whole = Path(folder) / f"{name}_{suffix}"
        part = whole.with_name(f"{whole.name}.part")
        part.write_text("-1", encoding="ascii")
        part.rename(whole)
    while os.getppid() == parent != 1:
        signal.sigtimedwait({signal.SIGUSR1}, _LOOK_S)
    for _ in range(_TIMES):
        _end_processes_of(folder, parent)
        time.sleep(_PAUSE_S)


def _end_processes_of(folder: str, node: int) -> None:
    """End what names the folder in its command line, and workers of a node process, which have given theirs up."""
    of_node = b"RAY_RAYLET_PID=%d" % node
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):  # it has ended meanwhile, or is of another user
                environment = (entry / "environ").read_bytes().split(b"\0")
                if folder.encode() in (entry / "cmdline").read_bytes() or of_node in environment:
                    os.kill(int(entry.name), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
