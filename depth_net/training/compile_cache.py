"""One folder of the user for what PyTorch's compiler has made, so that a second run or the next trial finds it.

By default it lies in the folder for temporary files, which is emptied, and which a trial may have for itself. The
compiler writes each file under another name first, so runs may share the folder.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING, Final

import torch
from torch._inductor import config
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from depth_net.user_cache import cache_folder

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
    if not environment.get(_PROCESSES):
        # The compiler has read the variable already, when it was imported.
        config.compile_threads = min(_MOST_PROCESSES, os.cpu_count() or 1, config.compile_threads or _MOST_PROCESSES)
    # Importing PyTorch's libraries sets the variable to the default: a user has not chosen that.
    if environment.get(VARIABLE, "") not in {"", default_cache_dir()}:
        return
    folder = cache_folder(f"compiled/torch-{torch.__version__}", environment)
    if folder is None:
        logger.info("compiled kernels are not kept: the cache folder cannot be written")
    else:
        environment[VARIABLE] = str(folder)


def import_compiler() -> None:
    """Import PyTorch's compiler where there may be a GPU, without which nothing is compiled unless a spec asks for it.

    It takes 1.1 s, and reading its own source files and Triton's, which its cache depends on, 0.6 s; otherwise each
    trial that compiles does so.
    """
    if torch.version.cuda is not None:
        importlib.import_module("torch._inductor.compile_fx")
        importlib.import_module("torch._inductor.codecache").torch_key()
        triton = importlib.import_module("torch._inductor.runtime.triton_compat")
        if triton.HAS_TRITON:
            triton.triton_key()
