"""One sbatch script for a study: a Ray cluster inside the allocation, the study in it, and a requeue when time is up.

The script is a head that is written here and a body that is the same for every study (`slurm_body.sh`). The parts of a
study are in the head alone: in `#SBATCH` lines after a strict check, in the settings quoted.
"""

from __future__ import annotations

import importlib.resources
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.cluster.job import plain_name, unfit
from automl.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from automl.cluster.job import StudyJob
    from automl.errors import Problem

NOTICE_S = 120
"""How long before its end a job gets a signal; the trials write a checkpoint in this time."""
_SHORTEST_S = 300

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,:+@-]*")
_FREE = re.compile(r"[a-z][a-z-]*(?:=[A-Za-z0-9_.,:+@/*\[\]&|()-]+)?")
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./+@:=,-]*")
_WALLTIME = re.compile(r"(?:\d+-\d{1,2}(?::\d{2}){0,2}|\d{1,4}:\d{2}(?::\d{2})?)")
_MOUNTABLE = re.compile(r"[^:,\s]+")
_HEADER = """\
#!/bin/bash
# {title}
# Written by `automl cluster slurm`. It starts a Ray cluster inside the allocation and runs the study in it. {notice} s
# before its time is up, or when it is preempted, it stops cleanly; it is requeued and goes on with `automl resume`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """What the job asks of Slurm.

    Attributes:
        nodes: Number of nodes.
        gpus_per_node: GPUs of each.
        cpus_per_node: CPUs of each; None for whole nodes.
        walltime: Of each start of the job, in Slurm's form; None for the partition's default.
        partition: Partition.
        account: Account.
        qos: Quality of service.
        extra: Further ``#SBATCH`` options without their dashes, e.g. ``mail-type=END``.
        container: An image that holds automl, ``.sqsh`` for pyxis or ``.sif`` for Apptainer; None for this environment.
    """

    nodes: int = 1
    gpus_per_node: int = 0
    cpus_per_node: int | None = None
    walltime: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    extra: tuple[str, ...] = ()
    container: Path | None = None


def slurm_script(job: StudyJob, options: SlurmOptions) -> str:
    """Return the sbatch script of a study.

    Raises:
        ConfigurationError: a value does not fit an ``#SBATCH`` line or a mount; with every problem.
    """
    problems = list(_problems(job, options))
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the job")
    body = importlib.resources.files("automl.cluster").joinpath("slurm_body.sh").read_text(encoding="utf-8")
    title = f"The study {plain_name(job.name)} as one Slurm job."
    lines = [f"#SBATCH --{line}" for line in _directives(job, options)]
    return _HEADER.format(title=title, notice=NOTICE_S) + "\n".join([*lines, *_settings(job, options)]) + "\n" + body


def slurm_walltime(text: str) -> str:
    """Return a walltime in Slurm's form: its own forms unchanged, durations such as 90min or 4h as ``H:MM:SS``.

    A bare number is minutes, as in Slurm.

    Raises:
        ValueError: it is neither, or too short for a clean stop.
    """
    from automl.duration import parse_duration_s  # noqa: PLC0415 - only for a duration

    if _WALLTIME.fullmatch(text.strip()):
        return text.strip()
    seconds = round(60 * int(text) if text.strip().isdigit() else parse_duration_s(text))
    if seconds < _SHORTEST_S:
        raise ValueError(f"{text!r} is shorter than the {_SHORTEST_S // 60} minutes that a start and a clean stop take")
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def _directives(job: StudyJob, options: SlurmOptions) -> Iterator[str]:
    yield f"job-name=automl-{job.name}"
    yield f"nodes={options.nodes}"
    yield "ntasks-per-node=1"
    yield "wait-all-nodes=1"
    if options.cpus_per_node is None:
        yield "exclusive"
        yield "mem=0"
    else:
        yield f"cpus-per-task={options.cpus_per_node}"
    if options.gpus_per_node:
        yield f"gpus-per-node={options.gpus_per_node}"
    if options.walltime is not None:
        yield f"time={options.walltime}"
    for name in ("partition", "account", "qos"):
        value = getattr(options, name)
        if value is not None:
            yield f"{name}={value}"
    yield f"signal=B:USR1@{NOTICE_S}"
    yield "requeue"
    yield "open-mode=append"
    yield f"output={job.results}/automl-{job.name}-%j.log"
    yield from options.extra


def _settings(job: StudyJob, options: SlurmOptions) -> Iterator[str]:
    in_container = options.container is not None
    here = Path(sys.executable)
    yield "set -euo pipefail"
    yield "umask 077"
    yield ""
    yield _array("automl", ("automl",) if in_container else (str(here), "-m", "automl.cli.app"))
    yield _array("ray", ("ray",) if in_container else (str(here.with_name("ray")),))
    yield _array("run", job.run_arguments)
    yield f"results={shlex.quote(str(job.results))}"
    yield f"name={shlex.quote(job.name)}"
    yield f"gpus={options.gpus_per_node}"
    yield _array("step_options", _pyxis(job, options.container))
    yield _array("inside", _apptainer(job, options.container))


def _pyxis(job: StudyJob, container: Path | None) -> Iterator[str]:
    if container is not None and container.suffix == ".sqsh":
        yield f"--container-image={container}"
        mounts = [f"{job.results}:{job.results}", *(f"{path}:{path}:ro" for path in job.read_only), "/tmp:/tmp"]  # noqa: S108 # Ray's sockets
        yield f"--container-mounts={','.join(mounts)}"


def _apptainer(job: StudyJob, container: Path | None) -> Iterator[str]:
    if container is not None and container.suffix == ".sif":
        yield from ("apptainer", "exec", "--nv", "--bind", f"{job.results}:{job.results}", "--bind", "/tmp:/tmp")  # noqa: S108 # Ray's sockets
        for path in job.read_only:
            yield from ("--bind", f"{path}:{path}:ro")
        yield str(container)


def _array(name: str, arguments: Iterable[str]) -> str:
    return f"{name}=({' '.join(map(shlex.quote, arguments))})"


def _problems(job: StudyJob, options: SlurmOptions) -> Iterator[Problem]:
    for name in ("partition", "account", "qos"):
        value = getattr(options, name)
        if value is not None and _PLAIN.fullmatch(value) is None:
            yield unfit(f"--{name}", value, "letters, digits and _.,:+@-")
    for line in options.extra:
        if _FREE.fullmatch(line) is None:
            yield unfit("--sbatch", line, "NAME or NAME=VALUE without dashes before it, spaces and quotes")
    if _PLAIN_PATH.fullmatch(str(job.results)) is None:
        yield unfit("--results", str(job.results), "a path without spaces, quotes and %")
    if options.container is not None:
        yield from _container_problems(job, options.container)


def _container_problems(job: StudyJob, container: Path) -> Iterator[Problem]:
    if container.suffix not in {".sqsh", ".sif"}:
        yield unfit("--container", str(container), "a .sqsh image (pyxis) or a .sif image (Apptainer)")
    for path in (container, *job.read_only):
        if _MOUNTABLE.fullmatch(str(path)) is None:
            yield unfit("--container", str(path), "paths without spaces, colons and commas")
