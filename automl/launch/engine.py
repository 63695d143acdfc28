"""Container engines: is one there, and what does its command line look like for one trial.

Pure argument lists, no shell. What must hold for every engine: exactly the GPUs of the trial, the user and groups of
the caller, a home and caches below the trial's folder, inputs read-only and the trial's folder writable at their own
paths, credentials by name only, a name and labels by which the container is found again. `automl.launch.apptainer` has
the engine without a daemon.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.launch.environment import handed_on
from automl.launch.gpu_ids import to_uuids
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from automl.launch.base import LaunchRequest

STUDY_LABEL = "automl.study"
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
# A healthy engine answers in 0.1 s; one behind ssh in a few seconds. The doctor has 10 s for everything.
_ANSWER_LIMIT_S = 8.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A docker or podman that answers.

    Attributes:
        kind: Docker or podman.
        program: Absolute path of the command line client.
        version: Of the engine.
        machine: Architecture of the engine's machine, e.g. ``x86_64``.
        is_rootless: The engine runs as the caller, whose containers' root it maps to the caller.
        is_remapped: The engine maps the users of containers to other ones (``userns-remap``).
        tells_memory: It says of a container that it was killed for its use of memory; else one that has a limit and is
            killed is taken to have exceeded it.
        has_init: There is a first process that hands on signals and collects orphans.
    """

    kind: LauncherKind
    program: str
    version: str
    machine: str = ""
    is_rootless: bool = False
    is_remapped: bool = False
    tells_memory: bool = True
    has_init: bool = True


def find_engine(kind: LauncherKind) -> Engine:
    """Ask an engine who it is; a command line client without an engine behind it does not count.

    Raises:
        LaunchError: there is no client, or no engine answers it; says what to do.
    """
    program = shutil.which(kind.value)
    if program is None:
        raise _unavailable(kind, f"no `{kind.value}` on PATH", f"install {kind.value}")
    try:
        done = subprocess.run(  # noqa: S603 # a fixed question to the engine's own client
            [program, "info", "--format", "{{json .}}"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_LIMIT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        answer = json.loads(done.stdout or "{}")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _unavailable(kind, f"no answer: {error}", "start the engine") from error
    engine = _read_docker(program, answer) if kind is LauncherKind.DOCKER else _read_podman(program, answer)
    if done.returncode != 0 or not engine.version:
        words = done.stderr.strip().splitlines()
        raise _unavailable(
            kind,
            words[-1] if words else "no engine behind the client",
            "start the engine, join its group, or point DOCKER_HOST at it"
            if kind is LauncherKind.DOCKER
            else "run `podman info` and mend what it says",
        )
    return engine


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


def study_of(tag: str) -> str:
    """Return the study's part of a tag: the value of the label by which a study's containers are found."""
    return tag.split("/", 1)[0]


def run_arguments(request: LaunchRequest, engine: Engine, caller: Caller) -> tuple[str, ...]:
    """Return everything behind ``docker run`` (or ``docker create``) for one trial.

    Args:
        request: The trial; has an image.
        engine: Runs it.
        caller: Owns the results.
    """
    assert request.image is not None  # noqa: S101 # the launcher has refused it before
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


def call_client(program: str, *arguments: str, limit_s: float | None) -> subprocess.CompletedProcess[str]:
    """Run an engine's client; one that cannot be started or does not end in time has status 1 and says why.

    Args:
        program: The client.
        arguments: Its words.
        limit_s: Seconds it may take; None for as long as it likes.
    """
    try:
        return subprocess.run(  # noqa: S603 # the engine's client with an argument list
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return subprocess.CompletedProcess(arguments, 1, "", str(error))


def removal(kind: LauncherKind, container: str) -> tuple[str, ...]:
    """Return the client's arguments that kill and remove a container at once, by name or id."""
    # Podman would give it 10 s to end by itself.
    patience = ("--time", "0") if kind is LauncherKind.PODMAN else ()
    return ("rm", "--force", *patience, "--volumes", container)


def home_of(request: LaunchRequest) -> Path:
    """Return a container's home; of a trial over several nodes each rank has one, and removes only its own."""
    return request.directory / "-".join((HOME, *request.tag.split("/")[_TAG_PARTS:]))


def home_folders(request: LaunchRequest) -> dict[str, Path]:
    """Return the variables that lead to a container's own home and caches; the folders are made by the launcher."""
    home = home_of(request)
    return {"HOME": home, **{name: home / below for name, below in _CACHES.items()}}


def own_environment(request: LaunchRequest, caller: Caller) -> dict[str, str]:
    """Return the variables that a container gets by value; nothing of the caller's machine is among them."""
    folders = {name: str(path) for name, path in home_folders(request).items()}
    return {**handed_on(request.environment), "USER": caller.name, "LOGNAME": caller.name, **folders}


def credentials_of(request: LaunchRequest) -> tuple[str, ...]:
    """Return the names of the credentials that are there to be handed on."""
    return tuple(name for name in request.credentials if name in request.environment)


def mounts(request: LaunchRequest) -> Iterator[str]:
    """Yield the mounts: what is written, and what is read, at their own paths."""
    for path in request.read_only:
        yield bind_mount(path, is_written=False)
    for path in request.writable:
        yield bind_mount(path, is_written=True)


def bind_mount(path: Path, *, is_written: bool) -> str:
    """Return the value of `--mount` that shows a path of the engine's machine at its own place."""
    return _csv("type=bind", f"source={path}", f"target={path}", *(() if is_written else ("readonly",)))


def client_environment(environment: Mapping[str, str], credentials: tuple[str, ...]) -> dict[str, str]:
    """Return the environment of the engine's client: where the engine is, and the values of the credentials."""
    ours = {name: value for name, value in os.environ.items() if _CLIENTS.fullmatch(name)}
    return ours | {name: environment[name] for name in credentials}


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


def _csv(*fields: str) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(fields)
    return stream.getvalue()


def _read_docker(program: str, answer: Mapping[str, Any]) -> Engine:
    security = " ".join(answer.get("SecurityOptions") or ())
    return Engine(
        kind=LauncherKind.DOCKER,
        program=program,
        version=str(answer.get("ServerVersion") or ""),
        machine=str(answer.get("Architecture") or ""),
        is_rootless="name=rootless" in security,
        is_remapped="name=userns" in security,
    )


def _read_podman(program: str, answer: Mapping[str, Any]) -> Engine:
    host = answer.get("host") or {}
    init = shutil.which("catatonit", path=f"/usr/libexec/podman:/usr/lib/podman:{os.environ.get('PATH', os.defpath)}")
    return Engine(
        kind=LauncherKind.PODMAN,
        program=program,
        version=str((answer.get("version") or {}).get("Version") or ""),
        machine=str(host.get("arch") or ""),
        is_rootless=bool((host.get("security") or {}).get("rootless")),
        tells_memory=str(host.get("cgroupVersion") or "") != "v1",
        has_init=init is not None,
    )


def _unavailable(kind: LauncherKind, found: str, fix: str) -> LaunchError:
    problem = Problem(
        where=f"--launcher {kind.value}",
        found=found,
        expected=f"a {kind.value} engine that answers `{kind.value} info`",
        fix=f"{fix}; or train in this environment with --launcher local",
    )
    return LaunchError(f"no {kind.value} engine answers: {found}", [problem])
