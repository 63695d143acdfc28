"""A study as a job of a cluster: its name, the arguments of its run, GPUs, and the folders that every node must have.

The arguments repeat an `automl run` elsewhere: paths are absolute, each value is one argument, no shell is involved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_STUDY = "STUDY"
_PATHS = {"--spec", "--results", "--data"}
_PATHS_IF_THERE = {_STUDY, "--skill", "--warm-start"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyJob:
    """One study as a job.

    Attributes:
        name: The study's name.
        results: The results folder, absolute, on storage that every node has.
        run_arguments: The arguments of `automl run`, from `run_arguments`.
        jobs: Trials at once, at most; the run itself fills the cluster.
        read_only: Files and folders that trials read, absolute.
    """

    name: str
    results: Path
    run_arguments: tuple[str, ...]
    jobs: int = 1
    read_only: tuple[Path, ...] = ()


def trials_at_once(*, nodes: int, gpus_per_node: int, cpus_per_node: int | None, gpus_per_trial: float) -> int:
    """Return how many trials fit on all nodes together, at least 1.

    Raises:
        ConfigurationError: one trial needs more GPUs than a node has.
    """
    if gpus_per_trial > gpus_per_node:
        expected = f"at least {gpus_per_trial:g}, which one trial needs"
        fix = "raise it, or lower --gpus-per-trial"
        refuse([Problem(where="--gpus-per-node", found=f"{gpus_per_node}", expected=expected, fix=fix)])
    on_one = int(gpus_per_node / gpus_per_trial + 1e-9) if gpus_per_trial > 0 else cpus_per_node or 1
    return max(1, nodes * on_one)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise the error for the problems of a job; nothing happens where there are none.

    Raises:
        ConfigurationError: there are some; with all of them.
    """
    found = list(problems)
    if found:
        raise ConfigurationError.from_problems(found, subject="the job")


def unfit(values: Iterable[tuple[str, str | None]], pattern: str, expected: str) -> Iterator[Problem]:
    """Yield a problem for each option whose value is given and is not as the pattern says."""
    for option, value in values:
        if value is not None and re.fullmatch(pattern, value) is None:
            yield Problem(where=option, found=repr(value), expected=expected, fix="choose another one")


def run_arguments(
    study: str | None, given: Mapping[str, Any], *, replaced: Mapping[str, str | None] | None = None
) -> tuple[str, ...]:
    """Return the arguments of `automl run`.

    Args:
        study: The study argument, if any: a file, or the name of a ready study.
        given: Option -> value of the command line; a tuple for repeated options, True for flags.
        replaced: Options that the job sets itself; None leaves one out.
    """
    arguments = [] if study is None else [_as_text(_STUDY, study)]
    for option, value in {**given, **(replaced or {})}.items():
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            for item in value if isinstance(value, tuple) else (value,):
                arguments += [option, _as_text(option, item)]
    return tuple(arguments)


def _as_text(option: str, value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    split, sign, named = text.partition("=") if option == "--data" else ("", "", text)
    path = Path(named).expanduser()
    if option in _PATHS or (option in _PATHS_IF_THERE and path.exists()):
        return f"{split}{sign}{path.absolute()}"
    return text
