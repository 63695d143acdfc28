"""One folder of the user for what PyTorch's compiler has made, so that a second run or the next trial finds it.

By default it lies in the folder for temporary files, which is emptied, and which a trial may have for itself. The
compiler writes each file under another name first, so runs may share the folder.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import MutableMapping

logger = logging.getLogger(__name__)

VARIABLE: Final = "TORCHINDUCTOR_CACHE_DIR"
"""Triton's kernels lie below the same folder unless TRITON_CACHE_DIR says otherwise."""
_PROCESSES: Final = "TORCHINDUCTOR_COMPILE_THREADS"
_MOST_PROCESSES: Final = 8
"""By default one for each core, up to 32, in each trial; a block, the neck and the head have few kernels."""


def share_compiled_kernels(environment: MutableMapping[str, str] = os.environ) -> None:
    """Name the folder and the number of compiling processes, unless the environment does; call before compiling."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environment.setdefault(_PROCESSES, str(min(_MOST_PROCESSES, cores)))
    if environment.get(VARIABLE):
        return
    root = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    folder = Path(root).absolute() / "depth_net" / "compiled" / f"torch-{torch.__version__}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(folder, os.W_OK)
    except OSError:
        is_writable = False
    if is_writable:
        environment[VARIABLE] = str(folder)
    else:
        logger.info("compiled kernels are not kept: %s cannot be written", folder)
