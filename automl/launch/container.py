"""Start trials in containers, those of a docker or podman engine each under its own container supervisor.

The container gets exactly the trial's GPUs, the caller's user and groups, a home and caches below the trial's folder,
inputs read-only and the trial's folder writable at their own paths, credentials by name only, and a name and labels by
which it is found again. Apptainer needs no daemon: its containers are ordinary processes under a supervisor of trials.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pwd
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import LaunchError, LaunchFailure
from automl.launch.command import passed_on
from automl.launch.engine import STUDY_LABEL, bind_mount, find_engine, remove_container, repeated
from automl.launch.images import image_file
from automl.launch.job import SupervisedJob
from automl.launch.local import LocalLauncher
from automl.launch.processes import TAG_VARIABLE
from automl.machine import query_gpus
from automl.storage.paths import make_folder
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import LaunchRequest
    from automl.launch.engine import Engine

HOME = ".home"
"""Folder below a trial's that holds its home and caches; removed when the container is gone."""
_CACHES = {
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "HF_HOME": ".cache/huggingface",
    "TORCH_HOME": ".cache/torch",
    "TRITON_CACHE_DIR": ".cache/triton",
    "TORCHINDUCTOR_CACHE_DIR": ".cache/torchinductor",
    "MPLCONFIGDIR": ".cache/matplotlib",
}
_DEFAULT_SHM = "16g"
_TAG_PARTS = 3  # study, trial, attempt; a rank of a trial over several nodes has one more
_CLIENTS = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_ALL|XDG_.*|DOCKER_.*|CONTAINERS?_.*|SSH_.*|.*_PROXY|.*_proxy"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who starts the containers.

    Attributes:
        uid: User id.
        gid: Primary group id.
        groups: Supplementary group ids, the primary one left out.
        name: For USER and LOGNAME: libraries fail for users that the image does not know.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str


def find_caller() -> Caller:
    """Return who runs this process."""
    uid, gid = os.getuid(), os.getgid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user{uid}"
    return Caller(uid=uid, gid=gid, groups=tuple(group for group in os.getgroups() if group != gid), name=name)


def container_name(tag: str) -> str:
    """Return the name of a trial's container: ``automl-demo-8f3a1c2d-0007-1``."""
    return "automl-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", tag)


def run_arguments(request: LaunchRequest, engine: Engine, caller: Caller) -> tuple[str, ...]:
    """Return the arguments of ``docker run`` (or ``docker create``) for one trial; its request has an image."""
    assert request.image is not None  # noqa: S101 # the launcher has checked it
    study, *rest = request.tag.split("/")
    labels = {STUDY_LABEL: study, "automl.tag": request.tag}
    labels |= dict(zip(("automl.trial", "automl.attempt"), rest, strict=False))
    options = request.options
    shm = options.get("shm_size", _DEFAULT_SHM)
    return (
        *("--name", container_name(request.tag)),
        *repeated("--label", (f"{name}={value}" for name, value in labels.items())),
        *(("--init",) if engine.has_init else ()),
        # Images are pulled before a GPU is reserved, never by a trial.
        *("--pull", "never"),
        *_user(engine, caller),
        *(("--network", options["network"]) if "network" in options else ()),
        "--ipc=host" if shm == "host" else f"--shm-size={shm}",
        *(("--memory", options["memory"], "--memory-swap", options["memory"]) if "memory" in options else ()),
        *_gpus(request.gpus, engine.kind),
        *("--workdir", str(request.directory)),
        *repeated("--mount", (bind_mount(path, is_written=False) for path in request.read_only)),
        *repeated("--mount", (bind_mount(path, is_written=True) for path in request.writable)),
        *repeated("--env", (f"{name}={value}" for name, value in _own_environment(request, caller).items())),
        *repeated("--env", credentials_of(request)),
        request.image,
        *request.command,
    )


def exec_arguments(request: LaunchRequest, caller: Caller) -> tuple[str, ...]:
    """Return the arguments of ``apptainer`` for one trial."""
    assert request.image is not None  # noqa: S101 # the launcher has checked it
    own = _own_environment(request, caller)
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


def home_of(request: LaunchRequest) -> Path:
    """Return a container's home; each rank of a trial over several nodes has its own."""
    return request.directory / "-".join((HOME, *request.tag.split("/")[_TAG_PARTS:]))


def home_folders(request: LaunchRequest) -> dict[str, Path]:
    """Return the variables that name a container's home and caches."""
    home = home_of(request)
    return {"HOME": home, **{name: home / below for name, below in _CACHES.items()}}


def credentials_of(request: LaunchRequest) -> tuple[str, ...]:
    """Return the names of the credentials that the request's environment has."""
    return tuple(name for name in request.credentials if name in request.environment)


def to_uuids(gpus: tuple[str, ...]) -> tuple[str, ...]:
    """Return the UUIDs of devices named as Ray names them: by index on the host, or by UUID already.

    An index that `nvidia-smi` does not list stays an index: the engine may be on another machine.
    """
    if all(gpu.startswith(("GPU-", "MIG-")) for gpu in gpus):
        return gpus
    known = {str(gpu.index): gpu.uuid for gpu in query_gpus()}
    return tuple(known.get(gpu, gpu) for gpu in gpus)


class ContainerLauncher(LocalLauncher):
    """Starts each command in its own container.

    Args:
        kind: Docker, podman or apptainer.
    """

    def __init__(self, kind: LauncherKind) -> None:
        super().__init__()
        self._kind = kind
        self._engine: Engine | None = None
        self._caller = find_caller()

    def launch(self, request: LaunchRequest) -> SupervisedJob:
        """Start the container under a new supervisor.

        Raises:
            LaunchError: there is no image or no engine, or the engine cannot start the container.
        """
        self._engine = engine = self._engine or find_engine(self._kind)
        if request.image is None:
            headline = f"could not start {request.command[0]}: no image is named for --launcher {self._kind}"
            raise LaunchError(headline, failure=LaunchFailure.IMAGE)
        for folder in home_folders(request).values():
            make_folder(folder, below=request.directory)
        if self._kind is LauncherKind.APPTAINER:
            # Apptainer passes on variables with its prefix, so no credential appears in an argument list.
            environment = _client_environment(request, prefix="APPTAINERENV_") | {TAG_VARIABLE: request.tag}
            command = (engine.program, *exec_arguments(request, self._caller))
            return super().launch(dataclasses.replace(request, command=command, environment=environment))
        name = container_name(request.tag)
        document = {
            "program": engine.program,
            "name": name,
            "tag": request.tag,
            "remove": engine.removal(name),
            "create": run_arguments(request, engine, self._caller),
            "has_init": engine.has_init,
            "environment": _client_environment(request),
            "directory": str(request.directory),
            "log": str(request.log),
            "is_killed_for_memory": "memory" in request.options and not engine.reports_memory,
            "scratch": [str(home_of(request))],
        }
        clean_up = functools.partial(remove_container, engine, name)
        return SupervisedJob(self._server.connect(), request, document, clean_up)


def _own_environment(request: LaunchRequest, caller: Caller) -> dict[str, str]:
    """Return the variables that a container gets by value; none describes the caller's machine."""
    folders = {name: str(path) for name, path in home_folders(request).items()}
    return {**passed_on(request.environment), "USER": caller.name, "LOGNAME": caller.name, **folders}


def _client_environment(request: LaunchRequest, *, prefix: str = "") -> dict[str, str]:
    """Return the environment of the engine's client: where the engine is, and the credentials under their names."""
    ours = {name: value for name, value in os.environ.items() if _CLIENTS.fullmatch(name)}
    return ours | {f"{prefix}{name}": request.environment[name] for name in credentials_of(request)}


def _user(engine: Engine, caller: Caller) -> tuple[str, ...]:
    if engine.is_rootless and engine.kind is LauncherKind.DOCKER:
        return ()  # root inside is the caller outside; any other user would own the results instead
    user = ("--user", f"{caller.uid}:{caller.gid}")
    if engine.is_rootless:
        return ("--userns", "keep-id", *user, "--group-add", "keep-groups")
    namespace = ("--userns", "host") if engine.is_remapped else ()
    return (*namespace, *user, *repeated("--group-add", map(str, caller.groups)))


def _gpus(gpus: tuple[str, ...], kind: LauncherKind) -> tuple[str, ...]:
    if not gpus:
        # An engine whose default runtime is NVIDIA's would else show the image every GPU.
        return ("--env", "NVIDIA_VISIBLE_DEVICES=void")
    uuids = to_uuids(gpus)
    if kind is LauncherKind.PODMAN:
        return repeated("--device", (f"nvidia.com/gpu={uuid}" for uuid in uuids))
    devices = f"device={','.join(uuids)}"
    # The value is a line of CSV: a list of devices is one field only in quotation marks.
    return ("--gpus", f'"{devices}"' if len(uuids) > 1 else devices)


def _mount(path: Path, access: str) -> str:
    """Return the value of `--mount`, quoted for apptainer's own CSV."""
    text = str(path)
    field = '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
    return f"type=bind,source={field},destination={field}{access}"
