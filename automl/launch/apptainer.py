"""Start trials in Apptainer containers: ordinary processes of the caller, each under a supervisor like a local one.

The image is a ``.sif`` or ``.sqsh`` file, an unpacked folder, or the name of a registry image that was pulled into a
file beforehand (see `automl.launch.images`).
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError, LaunchFailure, Problem
from automl.launch.base import Launcher
from automl.launch.container import (
    client_environment,
    credentials_of,
    find_caller,
    home_folders,
    home_of,
    own_environment,
    to_uuids,
)
from automl.launch.local import LocalLauncher
from automl.launch.processes import TAG_VARIABLE

if TYPE_CHECKING:
    from automl.launch.base import LaunchRequest
    from automl.launch.container import Caller
    from automl.launch.job import SupervisedJob

_PROGRAMS = ("apptainer", "singularity")


def find_apptainer() -> str:
    """Return the program's absolute path.

    Raises:
        LaunchError: it is not installed; with the fix.
    """
    for name in _PROGRAMS:
        program = shutil.which(name)
        if program is not None:
            return program
    problem = Problem(
        where="--launcher apptainer",
        found="neither apptainer nor singularity on PATH",
        expected="apptainer 1.0 or later",
        fix="load the site's module (`module load apptainer`), or train in this environment with --launcher local",
    )
    raise LaunchError("apptainer is not installed here", [problem])


def image_file(image: str) -> Path:
    """Return the file that an image is run from; for a registry image the file that it is pulled into."""
    if Path(image).exists() or image.endswith((".sif", ".sqsh", ".img")):
        return Path(image).absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "automl/images"
    return cache / (re.sub(r"[^A-Za-z0-9_.-]+", "-", image.removeprefix("docker://")) + ".sif")


def exec_arguments(request: LaunchRequest, caller: Caller) -> tuple[str, ...]:
    """Return the arguments of ``apptainer`` for one trial."""
    assert request.image is not None  # noqa: S101 # the launcher has checked it
    arguments = ["exec", "--containall", "--cleanenv", "--no-home", "--writable-tmpfs"]
    if request.options.get("network") == "none":
        arguments += ["--net", "--network", "none"]
    if request.gpus:
        arguments.append("--nv")
    for path in (*request.read_only, *request.writable):
        access = () if path in request.writable else (",ro",)
        arguments += ["--mount", "".join((f"type=bind,source={_field(path)},destination={_field(path)}", *access))]
    arguments += ["--home", str(home_of(request)), "--pwd", str(request.directory)]
    own = own_environment(request, caller)
    del own["HOME"]  # apptainer sets it from --home and refuses it in --env
    if request.gpus:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(to_uuids(request.gpus))
    for name, value in own.items():
        arguments += ["--env", f"{name}={value}"]
    return (*arguments, str(image_file(request.image)), *request.command)


class ApptainerLauncher(Launcher):
    """Starts each command in a container under a supervisor of this machine."""

    def __init__(self) -> None:
        self._local = LocalLauncher()
        self._caller = find_caller()

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Start the container.

        Raises:
            LaunchError: there is no image or no apptainer, or it cannot be started.
        """
        if request.image is None:
            raise LaunchError(
                f"could not start {request.command[0]}: no image is named for --launcher apptainer",
                failure=LaunchFailure.IMAGE,
            )
        program = find_apptainer()
        for folder in home_folders(request).values():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        credentials = credentials_of(request)
        environment = client_environment(request.environment, ())
        # Apptainer passes on variables with its prefix, so no credential appears in an argument list.
        environment |= {f"APPTAINERENV_{name}": request.environment[name] for name in credentials}
        environment[TAG_VARIABLE] = request.tag
        command = (program, *exec_arguments(request, self._caller))
        return self._local.launch(dataclasses.replace(request, command=command, environment=environment))

    def close(self) -> None:
        """Let the server of the supervisors end once no job needs it."""
        self._local.close()


def _field(path: Path) -> str:
    """Quote a path for apptainer's own CSV."""
    text = str(path)
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
