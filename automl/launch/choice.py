"""Choose how trials are started, and make the chosen launcher.

| asked for | image | engine, command | launcher |
|---|---|---|---|
| nothing, or auto | none named | - | warm |
| nothing, or auto | named by the skill or --image | a docker engine answers | docker |
| nothing, or auto | named | no docker engine; the command is installed here | warm |
| nothing, or auto | named | no docker engine; the command is not here or hidden in a script | none: refused |
| warm, local | any | - | as asked |
| docker, podman, apptainer | named | - | as asked; the run is refused where it does not answer |
| docker, podman, apptainer | none named | - | refused |
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError, Problem
from automl.launch.apptainer import ApptainerLauncher, find_apptainer
from automl.launch.command import build_command, find_program
from automl.launch.container import ContainerLauncher
from automl.launch.engine import end_containers, find_engine
from automl.launch.images import prepare_image
from automl.launch.local import LocalLauncher
from automl.study.launch_plan import AUTO, LauncherKind, LaunchPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.launch.base import Launcher
    from automl.launch.images import Image
    from automl.request.study_request import StudyRequest
    from automl.skill.model import JsonValue, Skill

CREDENTIALS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "NGC_API_KEY", "NGC_KEY", "NGC_CLI_API_KEY", "WANDB_API_KEY")
OVERRIDE = "--image"
"""The option that names an image in place of the skill's."""
_SHELLS = {"bash", "sh", "zsh", "dash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPreference:
    """What the user asks for.

    Attributes:
        launcher: A launcher's name or auto; None if the user names none.
        image: Image in place of the skill's.
        options: ``network``, ``shm_size``, ``memory``.
        credentials: Further names of variables that a container gets.
        mounts: Further paths that a container reads.
        nodes_per_trial: Trials over several nodes need the host's network.
    """

    launcher: str | None = None
    image: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    credentials: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    nodes_per_trial: int = 1


def preference_of(request: StudyRequest) -> LaunchPreference:
    """Return what a request asks for."""
    container = request.container
    options = {"network": request.network, **{name: container.get(name) for name in ("shm_size", "memory")}}
    return LaunchPreference(
        launcher=request.launcher,
        image=request.image,
        options={name: str(value) for name, value in options.items() if value is not None},
        credentials=_texts(container.get("environment")),
        mounts=_texts(container.get("mounts")),
        nodes_per_trial=request.nodes_per_trial or 1,
    )


def choose_launch(preference: LaunchPreference, skill: Skill, action: str) -> LaunchPlan:
    """Decide how an action of a skill is started.

    Raises:
        ConfigurationError: a container is asked for and no image is named.
    """
    image, source = resolve_image(skill, action, preference.image)
    asked = preference.launcher if preference.launcher not in {None, AUTO} else None
    if asked is not None:
        kind, reason = LauncherKind(asked), f"asked for: {asked}"
    else:
        kind, reason = _by_default(image, source, skill.actions[action].command)
    if kind.uses_image and image is None:
        raise ConfigurationError.from_problems([_no_image(kind, skill)], subject="the launcher")
    options = dict(preference.options)
    if preference.nodes_per_trial > 1 and kind.uses_image:
        options.setdefault("network", "host")
    names = dict.fromkeys((*skill.required_credentials, *CREDENTIALS, *preference.credentials))
    return LaunchPlan(
        launcher=kind,
        reason=reason,
        image=image if kind.uses_image or kind is LauncherKind.NONE else None,
        image_source=source,
        options=options if kind.uses_image else {},
        credentials=tuple(names) if kind.uses_image else (),
        mounts=preference.mounts if kind.uses_image else (),
    )


def resolve_image(skill: Skill, action: str, override: str | None) -> tuple[str | None, str]:
    """Return the image of an action and where it is named: by the user, the action or the skill."""
    if override is not None:
        return override, OVERRIDE
    if skill.actions[action].image is not None:
        return skill.actions[action].image, f"action {action} of the skill"
    return skill.image, "the skill" if skill.image is not None else ""


def ready_launch(launch: LaunchPlan) -> Image | None:
    """Check that the chosen launcher can start trials on this machine; pull the image if it is missing.

    Raises:
        LaunchError: it cannot; with the fix.
    """
    if launch.launcher is LauncherKind.NONE:
        problem = Problem(
            where="--launcher",
            found=launch.reason,
            expected="a container engine for the skill's image, or the skill's command in this environment",
            fix="start docker (or --launcher podman, apptainer); or install the trainer here and use --launcher local",
        )
        raise LaunchError("nothing here can run the skill", [problem])
    if launch.image is None or not launch.launcher.uses_image:
        return None
    return prepare_image(launch.launcher, launch.image)


def make_launcher(kind: LauncherKind) -> Launcher:
    """Return a new launcher; a warm one needs a session and is made by its caller."""
    match kind:
        case LauncherKind.DOCKER | LauncherKind.PODMAN:
            return ContainerLauncher(kind)
        case LauncherKind.APPTAINER:
            return ApptainerLauncher()
        case LauncherKind.WARM | LauncherKind.LOCAL | LauncherKind.NONE:
            return LocalLauncher()


def end_left_containers(kind: LauncherKind, study: str) -> int:
    """Remove the containers that an earlier run of a study left on this machine; return how many."""
    return end_containers(kind, study) if kind in {LauncherKind.DOCKER, LauncherKind.PODMAN} else 0


def check_engine(kind: LauncherKind) -> str:
    """Return the version of a container engine, or the program's path.

    Raises:
        LaunchError: it does not answer.
    """
    return find_apptainer() if kind is LauncherKind.APPTAINER else find_engine(kind).version


def _by_default(image: str | None, source: str, command: str) -> tuple[LauncherKind, str]:
    if image is None:
        return LauncherKind.WARM, "the skill names no image"
    try:
        version = check_engine(LauncherKind.DOCKER)
    except LaunchError as error:
        missing = error.problems[0].found
    else:
        return LauncherKind.DOCKER, f"{source} names an image, and a docker engine answers ({version})"
    program, is_here = find_command(command)
    if is_here:
        return LauncherKind.WARM, f"no docker engine answers ({missing}); {program} is installed here"
    state = "is not installed here" if is_here is False else "hides its program in a script"
    return LauncherKind.NONE, f"no docker engine answers ({missing}), and the command {program} {state}"


def find_command(template: str) -> tuple[str, bool | None]:
    """Return a command's program and whether it is installed here; None where a shell script hides it."""
    arguments = build_command(template, Path("spec"))
    program = Path(arguments[0]).name
    if program in _SHELLS:
        return program, None
    try:
        find_program(arguments[0])
    except LaunchError:
        return program, False
    if program.startswith("python") and arguments[1:2] == ("-m",) and len(arguments) > 2:  # noqa: PLR2004 # `python -m MODULE`
        module = arguments[2].split(".", 1)[0]
        return f"{program} -m {arguments[2]}", importlib.util.find_spec(module) is not None
    return program, True


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _no_image(kind: LauncherKind, skill: Skill) -> Problem:
    return Problem(
        where=f"--launcher {kind.value}",
        found=f"no image: the skill {skill.name} names none",
        expected="an image to run in",
        fix="name one with --image, or use --launcher local",
    )
