"""Trial 0 as a shell script for people: the very command that a study would start, with everything it needs.

The script makes the trial's folder and its spec and then runs the command; nothing is written until somebody runs it.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.launch.container import (
    container_name,
    credentials_of,
    exec_arguments,
    find_caller,
    home_folders,
    run_arguments,
)
from automl.launch.engine import find_engine
from automl.spec.model import Spec
from automl.spec.write import render_spec
from automl.storage.paths import StudyPaths
from automl.study.launch_plan import LauncherKind
from automl.study.trial import Proposal
from automl.trial.attempts import Start
from automl.trial.task import build_task, launch_request

if TYPE_CHECKING:
    from automl.launch.base import LaunchRequest
    from automl.study.model import StudyPlan

_END = "END_OF_SPEC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceCommand:
    """What starts trial 0: a command, also as a line for a shell, and a script that makes folder and spec for it."""

    directory: Path
    spec_file: Path
    spec: str
    command: tuple[str, ...]
    shell: str
    script: str


def reproduce_command(plan: StudyPlan, study: Path, *, gpus: tuple[str, ...]) -> ReproduceCommand:
    """Return what starts trial 0 of a study in a directory that need not exist, on devices that a study takes if free.

    Raises:
        LaunchError: the engine that is asked for does not answer, or the command cannot be built.
        ConfigurationError: the spec cannot be written in the format that the skill wants.
    """
    proposal = Proposal(number=0, assignment=plan.first_trials[0], origin=plan.origin)
    task = build_task(plan, StudyPaths(study), proposal, Start()).on(gpus)
    request = launch_request(task)
    spec = render_spec(Spec(values=task.command.spec), task.command.config_format)
    command = _command(plan.launch.launcher, request)
    shell = shlex.join(command)
    folders = [request.directory]
    if plan.launch.launcher.uses_image:
        folders += home_folders(request).values()
    lines = [
        f"# Trial 0 of {plan.name} as `automl run` would start it; it writes below {request.directory} only.",
        *_afterwards(plan.launch.launcher, request),
        f"umask 077; mkdir -p {shlex.join(str(folder) for folder in folders)}",
        f"cat > {shlex.quote(str(task.spec_file))} <<'{_END}'",
        spec.rstrip("\n"),
        _END,
        f"cd {shlex.quote(str(request.directory))} &&",
        shell,
    ]
    return ReproduceCommand(
        directory=request.directory,
        spec_file=task.spec_file,
        spec=spec,
        command=command,
        shell=shell,
        script="\n".join(lines) + "\n",
    )


def _command(kind: LauncherKind, request: LaunchRequest) -> tuple[str, ...]:
    match kind:
        case LauncherKind.DOCKER | LauncherKind.PODMAN:
            return (kind.value, "run", *run_arguments(request, find_engine(kind), find_caller()))
        case LauncherKind.APPTAINER:
            return (find_engine(kind).program, *exec_arguments(request, find_caller()))
        case LauncherKind.WARM | LauncherKind.LOCAL | LauncherKind.PLUGIN | LauncherKind.NONE:
            changed = {name: value for name, value in request.environment.items() if os.environ.get(name) != value}
            removed = [word for name in sorted(set(os.environ) - set(request.environment)) for word in ("-u", name)]
            return ("env", *removed, *(f"{name}={value}" for name, value in changed.items()), *request.command)


def _afterwards(kind: LauncherKind, request: LaunchRequest) -> list[str]:
    names = credentials_of(request)
    lines = [f"# It takes the values of {', '.join(names)} from your environment."] if names else []
    if kind in {LauncherKind.DOCKER, LauncherKind.PODMAN}:
        lines.append(f"# Afterwards: {kind.value} rm {container_name(request.tag)}")
    if kind is LauncherKind.APPTAINER:
        lines += [f'export APPTAINERENV_{name}="${name}"' for name in names]
    return lines
