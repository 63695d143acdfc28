"""Start trials in containers of a docker or podman engine, each under its own container supervisor.

The command line of a trial is an argument list without a shell. For every engine it gives the container exactly the
trial's GPUs, the caller's user and groups, a home and caches below the trial's folder, inputs read-only and the trial's
folder writable at their own paths, credentials by name only, and a name and labels by which it is found again.
Apptainer, which needs no daemon, has a module of its own.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, LaunchFailure
from automl.launch.base import Launcher
from automl.launch.engine import STUDY_LABEL, bind_mount, find_engine, removal, remove_container
from automl.launch.environment import passed_on
from automl.launch.job import SupervisedJob, standard_library_command, start_daemon
from automl.launch.processes import has_tag
from automl.machine import query_gpus
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from automl.launch.base import LaunchRequest
    from automl.launch.engine import Engine

logger = logging.getLogger(__name__)

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
DEFAULT_SHM = "16g"
_TAG_PARTS = 3  # study, trial, attempt; a rank of a trial over several nodes has one more
_CLIENTS = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_ALL|XDG_.*|DOCKER_.*|CONTAINERS?_.*|SSH_.*|.*_PROXY|.*_proxy"
)
_IDENTITIES = ("GPU-", "MIG-")


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
    """Return the arguments of ``docker run`` (or ``docker create``) for one trial.

    Args:
        request: The trial; has an image.
        engine: Runs it.
        caller: Owns the results.
    """
    assert request.image is not None  # noqa: S101 # the launcher has checked it
    return (
        *("--name", container_name(request.tag)),
        *_labels(request.tag),
        *(("--init",) if engine.has_init else ()),
        # Images are pulled before a GPU is reserved, never by a trial.
        *("--pull", "never"),
        *_user(engine, caller),
        *_machine_options(request.options),
        *_gpus(request.gpus, engine.kind),
        *("--workdir", str(request.directory)),
        *(word for mount in mounts(request) for word in ("--mount", mount)),
        *_environment(request, caller),
        request.image,
        *request.command,
    )


def home_of(request: LaunchRequest) -> Path:
    """Return a container's home; each rank of a trial over several nodes has its own."""
    return request.directory / "-".join((HOME, *request.tag.split("/")[_TAG_PARTS:]))


def home_folders(request: LaunchRequest) -> dict[str, Path]:
    """Return the variables that name a container's home and caches; the launcher creates the folders."""
    home = home_of(request)
    return {"HOME": home, **{name: home / below for name, below in _CACHES.items()}}


def own_environment(request: LaunchRequest, caller: Caller) -> dict[str, str]:
    """Return the variables that a container gets by value; none describes the caller's machine."""
    folders = {name: str(path) for name, path in home_folders(request).items()}
    return {**passed_on(request.environment), "USER": caller.name, "LOGNAME": caller.name, **folders}


def credentials_of(request: LaunchRequest) -> tuple[str, ...]:
    """Return the names of the credentials that the request's environment has."""
    return tuple(name for name in request.credentials if name in request.environment)


def mounts(request: LaunchRequest) -> Iterator[str]:
    """Yield the values of `--mount`: every path at its own place."""
    for path in request.read_only:
        yield bind_mount(path, is_written=False)
    for path in request.writable:
        yield bind_mount(path, is_written=True)


def client_environment(environment: Mapping[str, str], credentials: tuple[str, ...]) -> dict[str, str]:
    """Return the environment of the engine's client: where the engine is, and the values of the credentials."""
    ours = {name: value for name, value in os.environ.items() if _CLIENTS.fullmatch(name)}
    return ours | {name: environment[name] for name in credentials}


def to_uuids(gpus: tuple[str, ...]) -> tuple[str, ...]:
    """Return the UUIDs of devices named as Ray names them: by index on the host, or by UUID already.

    An index that `nvidia-smi` does not list stays an index: the engine may be on another machine.
    """
    if all(gpu.startswith(_IDENTITIES) for gpu in gpus):
        return gpus
    known = {str(gpu.index): gpu.uuid for gpu in query_gpus()}
    return tuple(known.get(gpu, gpu) for gpu in gpus)


class ContainerLauncher(Launcher):
    """Starts each command in its own container.

    Args:
        kind: Docker or podman.
    """

    def __init__(self, kind: LauncherKind) -> None:
        self._kind = kind
        self._engine: Engine | None = None
        self._caller = find_caller()

    def launch(self, request: LaunchRequest) -> ContainerJob:
        """Create and start the container under a new supervisor.

        Raises:
            LaunchError: there is no image or no engine, or the engine cannot start the container.
        """
        if request.image is None:
            raise LaunchError(
                f"could not start {request.command[0]}: no image is named for --launcher {self._kind}",
                failure=LaunchFailure.IMAGE,
            )
        if self._engine is None:
            self._engine = find_engine(self._kind)
        for folder in home_folders(request).values():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {
            "program": self._engine.program,
            "name": container_name(request.tag),
            "remove": removal(self._kind, container_name(request.tag)),
            "create": run_arguments(request, self._engine, self._caller),
            "environment": client_environment(request.environment, credentials_of(request)),
            "log": str(request.log),
            "is_killed_for_memory": "memory" in request.options and not self._engine.reports_memory,
            "scratch": [str(home_of(request))],
        }
        return ContainerJob(_start_supervisor(request.log), request, document, self._engine)


class ContainerJob(SupervisedJob):
    """A container under a supervisor.

    Args:
        connection: Connected to the supervisor, which waits for the document.
        request: What the job is.
        document: What the supervisor is sent (see `automl.launch.container_supervisor`).
        engine: Runs it.

    Raises:
        LaunchError: the container could not be started.
    """

    def __init__(
        self, connection: socket.socket, request: LaunchRequest, document: dict[str, Any], engine: Engine
    ) -> None:
        self._engine = engine
        self._name: str = document["name"]
        super().__init__(connection, request, document)

    def _first_process(self, started: dict[str, Any]) -> int | None:
        """Return the container's first process; None where it is on another machine or belongs to another user."""
        pid = int(started["root"])
        return pid if pid and has_tag(pid, self._tag) else None

    def _lose(self) -> None:
        remove_container(self._engine, self._name)
        super()._lose()


def _labels(tag: str) -> Iterator[str]:
    study, *rest = tag.split("/")
    labels = {STUDY_LABEL: study, "automl.tag": tag}
    labels |= dict(zip(("automl.trial", "automl.attempt"), rest, strict=False))
    for name, value in labels.items():
        yield from ("--label", f"{name}={value}")


def _user(engine: Engine, caller: Caller) -> Iterator[str]:
    if engine.is_rootless and engine.kind is LauncherKind.DOCKER:
        return  # root inside is the caller outside; any other user would own the results instead
    if engine.is_remapped:
        yield from ("--userns", "host")
    if engine.is_rootless:
        yield from ("--userns", "keep-id")
    yield from ("--user", f"{caller.uid}:{caller.gid}")
    if engine.is_rootless:
        yield from ("--group-add", "keep-groups")
        return
    for group in caller.groups:
        yield from ("--group-add", str(group))


def _machine_options(options: Mapping[str, str]) -> Iterator[str]:
    if "network" in options:
        yield from ("--network", options["network"])
    shm = options.get("shm_size", DEFAULT_SHM)
    yield from ("--ipc=host",) if shm == "host" else (f"--shm-size={shm}",)
    if "memory" in options:
        yield from ("--memory", options["memory"], "--memory-swap", options["memory"])


def _gpus(gpus: tuple[str, ...], kind: LauncherKind) -> Iterator[str]:
    if not gpus:
        # An engine whose default runtime is NVIDIA's would else show the image every GPU.
        yield from ("--env", "NVIDIA_VISIBLE_DEVICES=void")
        return
    uuids = to_uuids(gpus)
    if kind is LauncherKind.PODMAN:
        for uuid in uuids:
            yield from ("--device", f"nvidia.com/gpu={uuid}")
        return
    devices = f"device={','.join(uuids)}"
    # The value is a line of CSV: a list of devices is one field only in quotation marks.
    yield from ("--gpus", f'"{devices}"' if len(uuids) > 1 else devices)


def _environment(request: LaunchRequest, caller: Caller) -> Iterator[str]:
    for name, value in own_environment(request, caller).items():
        yield from ("--env", f"{name}={value}")
    for name in credentials_of(request):
        yield from ("--env", name)


def _start_supervisor(log: Path) -> socket.socket:
    """Start a container supervisor, whose own errors go to the trial's log; return the owner's end of its socket."""
    ours, theirs = socket.socketpair()
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "LANG") if name in os.environ}
    command = (*standard_library_command("automl.launch.container_supervisor"), str(theirs.fileno()))
    try:
        start_daemon(command, environment, log, pass_fds=(theirs.fileno(),))
    except LaunchError:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours
