"""Replaces the two agents that Ray's node process requires, in a local Ray that needs neither.

The real ones serve a dashboard and install packages, and take 2 s of a processor each to start. The node process waits
for their ports, in one file each, and ends if an agent ends; so this writes the files and runs as long as its parent.
Started by path, without the packages of the environment: standard library only.

    python -I -S agent.py FOLDER SUFFIX NAME...     writes -1, "not in use", to FOLDER/NAME_SUFFIX
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Write the files and wait for the end."""
    folder, suffix, *names = arguments
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    for name in names:
        whole = Path(folder) / f"{name}_{suffix}"
        part = whole.with_name(f"{whole.name}.part")
        part.write_text("-1", encoding="ascii")
        part.rename(whole)
    while os.getppid() == parent:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
