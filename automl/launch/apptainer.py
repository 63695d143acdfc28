"""Start trials in Apptainer containers: ordinary processes of the caller, each under a supervisor like a local one.

The image is a ``.sif`` or ``.sqsh`` file, an unpacked folder, or the name of a registry image that was pulled into a
file beforehand (see `automl.launch.images`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from automl.launch.container import (
    client_environment,
    find_caller,
    home_of,
    make_home,
    own_environment,
    to_uuids,
)
from automl.launch.engine import find_engine, repeated
from automl.launch.images import image_file
from automl.launch.local import LocalLauncher
from automl.launch.processes import TAG_VARIABLE
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import LaunchRequest
    from automl.launch.container import Caller
    from automl.launch.job import SupervisedJob


def exec_arguments(request: LaunchRequest, caller: Caller) -> tuple[str, ...]:
    """Return the arguments of ``apptainer`` for one trial."""
    assert request.image is not None  # noqa: S101 # the launcher has checked it
    own = own_environment(request, caller)
    del own["HOME"]  # apptainer sets it from --home and refuses it in --env
    if request.gpus:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(to_uuids(request.gpus))
    return (
        *("exec", "--containall", "--cleanenv", "--no-home", "--writable-tmpfs"),
        *(("--net", "--network", "none") if request.options.get("network") == "none" else ()),
        *(("--nv",) if request.gpus else ()),
        *repeated("--mount", (_mount(path, "" if path in request.writable else ",ro") for path in request.read_only)),
        *repeated("--mount", (_mount(path, "") for path in request.writable)),
        *("--home", str(home_of(request)), "--pwd", str(request.directory)),
        *repeated("--env", (f"{name}={value}" for name, value in own.items())),
        str(image_file(request.image)),
        *request.command,
    )


class ApptainerLauncher(LocalLauncher):
    """Starts each command in a container under a supervisor of this machine."""

    def __init__(self) -> None:
        super().__init__()
        self._caller = find_caller()

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Start the container.

        Raises:
            LaunchError: there is no image or no apptainer, or it cannot be started.
        """
        program = find_engine(LauncherKind.APPTAINER).program
        make_home(request, LauncherKind.APPTAINER)
        # Apptainer passes on variables with its prefix, so no credential appears in an argument list.
        environment = client_environment(request, prefix="APPTAINERENV_") | {TAG_VARIABLE: request.tag}
        command = (program, *exec_arguments(request, self._caller))
        return super().launch(dataclasses.replace(request, command=command, environment=environment))


def _mount(path: Path, access: str) -> str:
    """Return the value of `--mount`, quoted for apptainer's own CSV."""
    text = str(path)
    field = '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
    return f"type=bind,source={field},destination={field}{access}"
