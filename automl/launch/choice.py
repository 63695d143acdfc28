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
| the name of a plug-in | any | - | the plug-in's, which gets the image |
"""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError, Problem
from automl.launch.base import Launcher
from automl.launch.command import example_command, locate_program
from automl.launch.container import ContainerLauncher
from automl.launch.engine import find_engine
from automl.launch.images import prepare_image
from automl.launch.local import LocalLauncher
from automl.plugins import PluginKind, find_plugin, known_names, load_plugin
from automl.study.launch_plan import AUTO, LAUNCHER_NAMES, LauncherKind, LaunchPlan

if TYPE_CHECKING:
    from automl.request.study_request import StudyRequest
    from automl.skill.model import JsonValue, Skill

CREDENTIALS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "NGC_API_KEY", "NGC_KEY", "NGC_CLI_API_KEY", "WANDB_API_KEY")
OVERRIDE = "--image"
"""The option that names an image in place of the skill's."""
_SHELLS = {"bash", "sh", "zsh", "dash"}


def choose_launch(request: StudyRequest, skill: Skill, action: str) -> LaunchPlan:
    """Decide how an action of a skill is started.

    Raises:
        ConfigurationError: a container is asked for and no image is named.
    """
    image, source = _resolve_image(skill, action, request.image)
    if request.launcher in {None, AUTO}:
        kind, reason = _by_default(image, source, skill.actions[action].command)
    elif request.launcher in LAUNCHER_NAMES:
        kind, reason = LauncherKind(request.launcher), f"asked for: {request.launcher}"
    else:
        return _of_plugin(str(request.launcher), image, source)
    if not kind.uses_image:
        image = image if kind is LauncherKind.NONE else None
        return LaunchPlan(launcher=kind, reason=reason, image=image, image_source=source)
    if image is None:
        problem = Problem(
            where=f"--launcher {kind.value}",
            found=f"no image: the {skill.noun} {skill.name} names none",
            expected="an image to run in",
            fix="name one with --image, or use --launcher local",
        )
        raise ConfigurationError.from_problems([problem], subject="the launcher")
    network = request.network
    if network is None and (request.nodes_per_trial or 1) > 1:
        network = "host"  # the ranks of a trial reach each other through it
    options = {"network": network, **{name: request.container.get(name) for name in ("shm_size", "memory")}}
    names = (*skill.required_credentials, *CREDENTIALS, *_texts(request.container.get("environment")))
    return LaunchPlan(
        launcher=kind,
        reason=reason,
        image=image,
        image_source=source,
        options={name: str(value) for name, value in options.items() if value is not None},
        credentials=tuple(dict.fromkeys(names)),
        mounts=_texts(request.container.get("mounts")),
    )


def ready_launch(launch: LaunchPlan) -> None:
    """Check that the chosen launcher can start trials on this machine; pull the image if it is missing.

    Raises:
        LaunchError: it cannot; with the fix.
    """
    if launch.launcher is LauncherKind.NONE:
        problem = Problem(
            where="--launcher",
            found=launch.reason,
            expected="a container engine for the image, or the program of the command in this environment",
            fix="start docker (or --launcher podman, apptainer); or install the trainer here and use --launcher local",
        )
        raise LaunchError("nothing here can run the trainer", [problem])
    if launch.image is not None and launch.launcher.uses_image:
        prepare_image(launch.launcher, launch.image)


def make_launcher(kind: LauncherKind, plugin: str = "") -> Launcher:
    """Return a new launcher; a warm one needs a session and is made by its caller.

    Raises:
        ConfigurationError: it is a plug-in's that is not here, or cannot be used.
    """
    if not plugin:
        return ContainerLauncher(kind) if kind.uses_image else LocalLauncher()
    found = find_plugin(PluginKind.LAUNCHERS, plugin)
    if found is None:
        raise ConfigurationError.from_problems([_unknown(plugin)], subject="the launcher")
    return load_plugin(found, Launcher)()  # type: ignore[type-abstract]  # a plug-in's class is concrete


def _of_plugin(name: str, image: str | None, source: str) -> LaunchPlan:
    """Return the plan of a launcher that is not built in; it gets the image, and may need none."""
    plugin = find_plugin(PluginKind.LAUNCHERS, name)
    if plugin is None:
        raise ConfigurationError.from_problems([_unknown(name)], subject="the launcher")
    reason = f"asked for: {name}, of {plugin.origin}"
    return LaunchPlan(launcher=LauncherKind.PLUGIN, reason=reason, image=image, image_source=source, plugin=name)


def _unknown(name: str) -> Problem:
    names = known_names(PluginKind.LAUNCHERS, LAUNCHER_NAMES)
    close = difflib.get_close_matches(name, names, n=1)
    fix = f"did you mean {close[0]}?" if close else f"use {AUTO}, the default"
    return Problem(where="launcher", found=name, expected=f"one of {', '.join(names)}", fix=fix)


def _resolve_image(skill: Skill, action: str, override: str | None) -> tuple[str | None, str]:
    """Return the image of an action and where it is named: by the user, the action or the skill."""
    if override is not None:
        return override, OVERRIDE
    if skill.actions[action].image is not None:
        return skill.actions[action].image, f"action {action} of the skill"
    return skill.image, "the skill" if skill.image is not None else ""


def _by_default(image: str | None, source: str, command: str) -> tuple[LauncherKind, str]:
    if image is None:
        return LauncherKind.WARM, "no image is named"
    try:
        version = find_engine(LauncherKind.DOCKER).version
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
    arguments = example_command(template)
    program = Path(arguments[0]).name
    if program in _SHELLS:
        return program, None
    if locate_program(arguments[0]) is None:
        return program, False
    if program.startswith("python") and arguments[1:2] == ("-m",) and len(arguments) > 2:  # noqa: PLR2004 # `python -m MODULE`
        module = arguments[2].split(".", 1)[0]
        return f"{program} -m {arguments[2]}", importlib.util.find_spec(module) is not None
    return program, True


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
