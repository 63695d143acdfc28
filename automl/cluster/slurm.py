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

from automl.cluster.job import refuse, unfit
from automl.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from automl.cluster.job import StudyJob

NOTICE_S = 120
"""How long before its end a job gets a signal; the trials write a checkpoint in this time."""
_SHORTEST_S = 300

_WALLTIME = re.compile(r"(?:\d+-\d{1,2}(?::\d{2}){0,2}|\d{1,4}:\d{2}(?::\d{2})?)")
_HEADER = """\
#!/bin/bash
# The study {name} as one Slurm job.
# Written by `automl cluster slurm`. It starts a Ray cluster inside the allocation and runs the study in it. {notice} s
# before its time is up, or when it is preempted, it stops cleanly; it is requeued and goes on with `automl resume`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """What the job asks of Slurm.

    Attributes:
        cpus_per_node: None for whole nodes.
        walltime: Of each start of the job, in Slurm's form; None for the partition's default.
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
    refuse(_problems(job, options))
    body = importlib.resources.files("automl.cluster").joinpath("slurm_body.sh").read_text(encoding="utf-8")
    head = [f"#SBATCH --{line}" for line in _directives(job, options)]
    return _HEADER.format(name=job.name, notice=NOTICE_S) + "\n".join([*head, *_settings(job, options)]) + "\n" + body


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


def _directives(job: StudyJob, options: SlurmOptions) -> tuple[str, ...]:
    asked = {
        "gpus-per-node": options.gpus_per_node or None,
        "time": options.walltime,
        "partition": options.partition,
        "account": options.account,
        "qos": options.qos,
    }
    cpus = options.cpus_per_node
    return (
        f"job-name=automl-{job.name}",
        f"nodes={options.nodes}",
        "ntasks-per-node=1",
        "wait-all-nodes=1",
        *(("exclusive", "mem=0") if cpus is None else (f"cpus-per-task={cpus}",)),
        *(f"{name}={value}" for name, value in asked.items() if value is not None),
        f"signal=B:USR1@{NOTICE_S}",
        "requeue",
        "open-mode=append",
        f"output={job.results}/automl-{job.name}-%j.log",
        *options.extra,
    )


def _settings(job: StudyJob, options: SlurmOptions) -> tuple[str, ...]:
    if options.container is None:
        automl, ray = [sys.executable, "-P", "-m", "automl.cli.app"], [str(Path(sys.executable).with_name("ray"))]
    else:
        automl, ray = ["automl"], ["ray"]
    step_options, inside = _in_container(job, options.container)
    return (
        "set -euo pipefail",
        "umask 077",
        "",
        _array("automl", automl),
        _array("ray", ray),
        _array("run", job.run_arguments),
        f"results={shlex.quote(str(job.results))}",
        f"name={shlex.quote(job.name)}",
        f"gpus={options.gpus_per_node}",
        _array("step_options", step_options),
        _array("inside", inside),
    )


def _in_container(job: StudyJob, container: Path | None) -> tuple[list[str], list[str]]:
    """Return the options of a step (pyxis) and the command before its program (Apptainer) that use an image."""
    if container is None:
        return [], []
    results, sockets = f"{job.results}:{job.results}", "/tmp:/tmp"  # noqa: S108 # Ray's sockets
    read = [f"{path}:{path}:ro" for path in job.read_only]
    if container.suffix == ".sqsh":
        return [f"--container-image={container}", f"--container-mounts={','.join((results, *read, sockets))}"], []
    inside = ["apptainer", "exec", "--nv"]
    for bind in (results, sockets, *read):
        inside += ["--bind", bind]
    return [], [*inside, str(container)]


def _array(name: str, arguments: Iterable[str]) -> str:
    return f"{name}=({' '.join(map(shlex.quote, arguments))})"


def _problems(job: StudyJob, options: SlurmOptions) -> Iterator[Problem]:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", job.name) is None:
        expected, fix = "letters, digits, dots, dashes and underscores", "set `name` in the study file"
        yield Problem(where="the study's name", found=repr(job.name), expected=expected, fix=fix)
    plain = {"--partition": options.partition, "--account": options.account, "--qos": options.qos}
    yield from unfit(plain.items(), r"[A-Za-z0-9][A-Za-z0-9_.,:+@-]*", "letters, digits and _.,:+@-")
    further = [("--sbatch", line) for line in options.extra]
    expected = "NAME or NAME=VALUE without dashes before it, spaces and quotes"
    yield from unfit(further, r"[a-z][a-z-]*(?:=[A-Za-z0-9_.,:+@/*\[\]&|()-]+)?", expected)
    results = [("--results", str(job.results))]
    yield from unfit(results, r"/[A-Za-z0-9_./+@:=,-]*", "a path without spaces, quotes and %")
    if options.container is not None:
        image = [("--container", str(options.container))]
        mounted = [*image, *(("--container", str(path)) for path in job.read_only)]
        yield from unfit(image, r"(?s).*\.(?:sqsh|sif)", "a .sqsh image (pyxis) or a .sif image (Apptainer)")
        yield from unfit(mounted, r"[^:,\s]+", "paths without spaces, colons and commas")
