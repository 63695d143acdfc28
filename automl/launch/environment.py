"""The environment of a trial: that of this process, without what would mislead a trainer, plus the trial's own.

A trainer that sees a stale `WORLD_SIZE` or `RANK` waits for ranks that never come; Ray's own variables would make a
trainer that uses Ray join our cluster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.launch.command import search_path
from automl.launch.processes import TAG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_STALE = re.compile(
    r"WORLD_SIZE|(LOCAL_|GROUP_|ROLE_|NODE_)?RANK|LOCAL_WORLD_SIZE|MASTER_(ADDR|PORT)|NUM_GPU_PER_NODE|NODE_RANK"
    r"|TORCHELASTIC_.*|PET_.*|RAY_.*|TUNE_.*|SLURM_(PROCID|LOCALID|NTASKS|JOB_NAME)|PMI_.*|OMPI_.*|AUTOML_.*"
    # What Ray puts into its workers.
    r"|PL_DISABLE_FORK|SPT_NOENV|PYTHONBREAKPOINT"
    r"|CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES|OMP_.*|MKL_.*|OPENBLAS_.*|PYTHONUNBUFFERED|PYTHONHASHSEED"
)
# Of the caller's machine: a container has its own devices.
_NOT_PASSED_ON = re.compile(r"CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES")
_PASSED_ON = re.compile(
    r"TOKENIZERS_PARALLELISM|CUDA_DEVICE_ORDER|NCCL_.*|EVALUATE_.*|HF_HUB_OFFLINE|TRANSFORMERS_OFFLINE"
)


def trial_environment(
    inherited: Mapping[str, str],
    *,
    tag: str,
    gpus: Sequence[str] = (),
    threads: int = 1,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the whole environment of a trial.

    Args:
        inherited: Usually ``os.environ``.
        tag: Identifies study, trial and attempt; leftover processes are found by it.
        gpus: The trial's devices; empty hides every GPU.
        threads: CPU threads of the trainer, at least 1.
        extra: Laid over everything else, e.g. the rendezvous of a trial over several nodes.
    """
    environment = {name: value for name, value in inherited.items() if not _STALE.fullmatch(name)}
    environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment |= {
        "PATH": search_path(environment),
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "PYTHONUNBUFFERED": "1",
        # A cold trial and one forked from the warm server iterate over sets of strings in the same order.
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        TAG_VARIABLE: tag,
    }
    return environment | dict(extra or {})


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a trial's environment that a container gets by value: what was set for the trial.

    A variable that `trial_environment` removes from the inherited environment and that is present all the same was set
    for the trial. Search paths and everything else that describes the caller's machine are left out.
    """
    return {
        name: value
        for name, value in environment.items()
        if (name in THREAD_VARIABLES or _STALE.fullmatch(name) or _PASSED_ON.fullmatch(name))
        and not _NOT_PASSED_ON.fullmatch(name)
    }
