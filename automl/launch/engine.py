"""Container engines: whether one answers, and which containers and paths it has.

The paths of a container are those of the engine's machine, which may be another one (`DOCKER_HOST`, a Docker context).
Apptainer is a program without an engine.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.launch.container_supervisor import call_client
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

STUDY_LABEL = "automl.study"
_ABSENT = ("does not exist", "no such file or directory")
_CLIENT_LIMIT_S = 60.0
_CREATE_LIMIT_S = 30.0
# A healthy engine answers in 0.1 s; one behind ssh in a few seconds. The doctor has 10 s for everything.
_ANSWER_LIMIT_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answers, or apptainer.

    Attributes:
        program: Absolute path of the command line client.
        version: Of the engine; the program of apptainer.
        machine: Architecture of the engine's machine, e.g. ``x86_64``.
        is_rootless: The engine runs as the caller, whose containers' root it maps to the caller.
        is_remapped: The engine maps the users of containers to other ones (``userns-remap``).
        reports_memory: It reports that a container was killed for its use of memory; without, a container that has a
            limit and is killed counts as having exceeded it.
        has_init: It provides a first process that forwards signals and collects orphans.
    """

    kind: LauncherKind
    program: str
    version: str
    machine: str = ""
    is_rootless: bool = False
    is_remapped: bool = False
    reports_memory: bool = True
    has_init: bool = True

    def removal(self, container: str) -> tuple[str, ...]:
        """Return the client's arguments that kill and remove a container, by name or id."""
        # Podman would give it 10 s to end by itself.
        timeout = ("--time", "0") if self.kind is LauncherKind.PODMAN else ()
        return ("rm", "--force", *timeout, "--volumes", container)


def find_engine(kind: LauncherKind) -> Engine:
    """Ask an engine for its version; a command line client without an engine does not count.

    Raises:
        LaunchError: there is no client, or no engine answers it; with the fix.
    """
    if kind is LauncherKind.APPTAINER:
        return _find_apptainer()
    name = kind.value
    program = shutil.which(name)
    found, fix = f"no `{name}` on PATH", f"install {name}"
    if program is not None:
        done = call_client(program, "info", "--format", "{{json .}}", limit_s=_ANSWER_LIMIT_S)
        try:
            engine = _read_engine(kind, program, json.loads(done.stdout or "{}"))
        except ValueError as error:
            found, fix = f"an answer that is not JSON: {error}", "start the engine"
        else:
            if done.returncode == 0 and engine.version:
                return engine
            found = (done.stderr.strip().splitlines() or ["no engine behind the client"])[-1]
            docker = "start the engine, join its group, or point DOCKER_HOST at it"
            fix = docker if kind is LauncherKind.DOCKER else "run `podman info` and fix what it reports"
    problem = Problem(
        where=f"--launcher {name}",
        found=found,
        expected=f"a {name} engine that answers `{name} info`",
        fix=f"{fix}; or train in this environment with --launcher local",
    )
    raise LaunchError(f"no {name} engine answers: {found}", [problem])


def repeated(option: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments that give an option once for each value."""
    return tuple(argument for value in values for argument in (option, value))


def bind_mount(path: Path, *, is_written: bool) -> str:
    """Return the value of `--mount` that mounts a path of the engine's machine at its own place."""
    stream = io.StringIO()
    fields = ("type=bind", f"source={path}", f"target={path}", *(() if is_written else ("readonly",)))
    csv.writer(stream, lineterminator="").writerow(fields)
    return stream.getvalue()


def end_containers(kind: LauncherKind, study: str) -> int:
    """Kill and remove every container with the study's tag on this machine; return how many there were.

    Raises:
        LaunchError: the engine does not answer.
    """
    # Only these have containers that outlive their owner.
    if kind not in {LauncherKind.DOCKER, LauncherKind.PODMAN}:
        return 0
    engine = find_engine(kind)
    label = f"label={STUDY_LABEL}={study}"
    found = _ask(engine, "ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()
    for container in found:
        remove_container(engine, container)
    return len(found)


def remove_container(engine: Engine, container: str) -> None:
    """Kill and remove one container, by name or id; a missing one is no error."""
    _ask(engine, *engine.removal(container))


def unseen_paths(kind: LauncherKind, image: str, paths: Iterable[Path], folder: Path | None = None) -> tuple[Path, ...]:
    """Return the paths that the engine's machine does not have, and the folder if it is another one there.

    No container is started: an engine checks mounts when it creates one.

    Args:
        kind: Docker or podman.
        image: One that the engine has.
        paths: They are here.
        folder: Writable here; a temporary file in it distinguishes it from another folder of the same name.

    Raises:
        LaunchError: the engine does not answer.
    """
    engine = find_engine(kind)
    # Path asked for -> path named in the result.
    asked = {path: path for path in paths}
    marker = None if folder is None else folder / f".automl-seen-{secrets.token_hex(6)}"
    try:
        if marker is not None and folder is not None:
            marker.touch(mode=0o600)
            asked[marker] = folder
        if _sees(engine, image, tuple(asked)):
            return ()
        return tuple(named for path, named in asked.items() if not _sees(engine, image, (path,)))
    finally:
        if marker is not None:
            marker.unlink(missing_ok=True)  # not of a study: a marker made just before


def _ask(engine: Engine, *arguments: str) -> str:
    done = call_client(engine.program, *arguments, limit_s=_CLIENT_LIMIT_S)
    if done.returncode != 0 and "no such container" not in done.stderr.lower():
        logger.warning("%s %s: %s", engine.kind, arguments[0], done.stderr.strip())
    return done.stdout


def _sees(engine: Engine, image: str, paths: Sequence[Path]) -> bool:
    """Return whether a container with these mounts can be created; other problems count as yes."""
    name = f"automl-probe-{secrets.token_hex(6)}"
    options = ("--name", name, "--network", "none", "--pull", "never")
    mounts = repeated("--mount", (bind_mount(path, is_written=False) for path in paths))
    done = call_client(engine.program, "create", *options, *mounts, image, "true", limit_s=_CREATE_LIMIT_S)
    if done.returncode == 0:
        call_client(engine.program, *engine.removal(name), limit_s=_CREATE_LIMIT_S)
        return True
    return not any(text in done.stderr.lower() for text in _ABSENT)


def _read_engine(kind: LauncherKind, program: str, answer: Mapping[str, Any]) -> Engine:
    """Return what an engine's `info` says."""
    if kind is LauncherKind.DOCKER:
        security = " ".join(answer.get("SecurityOptions") or ())
        return Engine(
            kind=kind,
            program=program,
            version=str(answer.get("ServerVersion") or ""),
            machine=str(answer.get("Architecture") or ""),
            is_rootless="name=rootless" in security,
            is_remapped="name=userns" in security,
        )
    host = answer.get("host") or {}
    init = shutil.which("catatonit", path=f"/usr/libexec/podman:/usr/lib/podman:{os.environ.get('PATH', os.defpath)}")
    return Engine(
        kind=kind,
        program=program,
        version=str((answer.get("version") or {}).get("Version") or ""),
        machine=str(host.get("arch") or ""),
        is_rootless=bool((host.get("security") or {}).get("rootless")),
        reports_memory=str(host.get("cgroupVersion") or "") != "v1",
        has_init=init is not None,
    )


def _find_apptainer() -> Engine:
    program = shutil.which("apptainer") or shutil.which("singularity")
    if program is not None:
        return Engine(kind=LauncherKind.APPTAINER, program=program, version=program)
    problem = Problem(
        where="--launcher apptainer",
        found="neither apptainer nor singularity on PATH",
        expected="apptainer 1.0 or later",
        fix="load the site's module (`module load apptainer`), or train in this environment with --launcher local",
    )
    raise LaunchError("apptainer is not installed here", [problem])
