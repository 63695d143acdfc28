"""What a study needs of a cluster: name, words of its run, GPUs, folders that every node must see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyJob:
    """One study as a job.

    Attributes:
        name: The study's name.
        results: The results folder, absolute, on storage that every node sees.
        run_arguments: The words after `automl run`; see `automl.cluster.run_arguments`.
        gpus_per_trial: GPUs of one trial; 0 for the CPU.
        jobs: Trials at once, at most; the run itself fills the cluster that it finds.
        read_only: Files and folders that trials read, absolute.
        credentials: Names of the environment variables that the skill asks for.
    """

    name: str
    results: Path
    run_arguments: tuple[str, ...]
    gpus_per_trial: float = 0.0
    jobs: int = 1
    read_only: tuple[Path, ...] = ()
    credentials: tuple[str, ...] = ()


def trials_at_once(*, nodes: int, gpus_per_node: int, cpus_per_node: int | None, gpus_per_trial: float) -> int:
    """Return how many trials fit on all nodes together, at least 1.

    Raises:
        ConfigurationError: one trial needs more GPUs than a node has.
    """
    if gpus_per_trial > gpus_per_node:
        problem = Problem(
            where="--gpus-per-node",
            found=f"{gpus_per_node}",
            expected=f"at least {gpus_per_trial:g}, which one trial needs",
            fix="raise it, or lower --gpus-per-trial",
        )
        raise ConfigurationError.from_problems([problem], subject="the job")
    on_one = int(gpus_per_node / gpus_per_trial + 1e-9) if gpus_per_trial > 0 else cpus_per_node or 1
    return max(1, nodes * on_one)


def plain_name(name: str) -> str:
    """Return a study's name if it can be part of a job's name and of a path without quoting.

    Raises:
        ConfigurationError: it cannot.
    """
    if _NAME.fullmatch(name) is None:
        problem = Problem(
            where="the study's name",
            found=repr(name),
            expected="letters, digits, dots, dashes and underscores",
            fix="set `name` in the study file",
        )
        raise ConfigurationError.from_problems([problem], subject="the job")
    return name
