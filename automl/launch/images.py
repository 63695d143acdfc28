"""Find an image on this machine, or pull it, before a GPU is reserved."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.errors import LaunchError, LaunchFailure, Problem
from automl.launch.container_supervisor import call_client
from automl.launch.engine import Engine, find_engine
from automl.study.launch_plan import LauncherKind

logger = logging.getLogger(__name__)

_INSPECT_LIMIT_S = 60.0
_CREDENTIAL = re.compile(
    r"denied|unauthorized|authentication required|no basic auth|forbidden|401|403|login", re.IGNORECASE
)
_NETWORK = re.compile(
    r"dial tcp|no such host|timeout|connection refused|network is unreachable|TLS|proxy|i/o|EOF", re.IGNORECASE
)
_IMAGE = LaunchFailure.IMAGE
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is on this machine.

    Attributes:
        digest: Content address, or the file for apptainer.
        size_bytes: On disk.
        architecture: E.g. ``amd64``; empty where it is unknown.
        cuda: Version of CUDA inside; empty where it is unknown.
    """

    digest: str
    size_bytes: int
    architecture: str = ""
    cuda: str = ""


def image_file(image: str) -> Path:
    """Return the file that apptainer runs an image from; for a registry image the file that it is pulled into."""
    if Path(image).exists() or image.endswith((".sif", ".sqsh", ".img")):
        return Path(image).absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "automl/images"
    return cache / (re.sub(r"[^A-Za-z0-9_.-]+", "-", image.removeprefix("docker://")) + ".sif")


def find_image(kind: LauncherKind, name: str) -> Image | None:
    """Return the image if it is on this machine; nothing is pulled.

    Raises:
        LaunchError: there is no engine.
    """
    return _inspect(find_engine(kind), name)


def prepare_image(kind: LauncherKind, name: str) -> Image:
    """Return the image, pulled if it is missing.

    Raises:
        LaunchError: there is no engine, or the image cannot be pulled or cannot run here; with the kind and the fix.
    """
    engine = find_engine(kind)
    image = _inspect(engine, name)
    if image is None:
        _pull(engine, name)
        image = _inspect(engine, name)
    if image is None:
        raise _failed(name, _IMAGE, "the engine pulled it and does not have it", "check the engine's disk")
    wanted = _MACHINES.get(engine.machine, engine.machine)
    if image.architecture and wanted and image.architecture != wanted:
        found = f"an image for {image.architecture}"
        raise _failed(name, _IMAGE, found, f"choose one for {wanted} with --image, or another machine")
    return image


def _inspect(engine: Engine, name: str) -> Image | None:
    """Return what is known of an image; None if it is not on the machine."""
    if engine.kind is LauncherKind.APPTAINER:
        file = image_file(name)
        size = file.stat().st_size if file.is_file() else 0
        return Image(digest=str(file), size_bytes=size) if file.exists() else None
    done = call_client(engine.program, "image", "inspect", name, limit_s=_INSPECT_LIMIT_S)
    if done.returncode != 0:
        return None
    # Without a format: what `{{json .}}` prints differs between Docker and Podman 4.
    facts: dict[str, Any] = json.loads(done.stdout)[0]
    environment: list[str] = (facts.get("Config") or {}).get("Env") or []
    digests = facts.get("RepoDigests") or [facts.get("Id", "")]
    return Image(
        digest=str(digests[0]),
        size_bytes=int(facts.get("Size") or 0),
        architecture=str(facts.get("Architecture") or ""),
        cuda=next((text.partition("=")[2] for text in environment if text.startswith("CUDA_VERSION=")), ""),
    )


def _pull(engine: Engine, name: str) -> None:
    """Pull an image, apptainer's into its file; a large one takes as long as the network needs."""
    if engine.kind is not LauncherKind.APPTAINER:
        logger.warning("pulling the image %s; this is done once on each machine", name)
        done = call_client(engine.program, "pull", "--quiet", name, limit_s=None)
        if done.returncode != 0:
            host, slash, _ = name.partition("/")
            registry = host if slash and ("." in host or ":" in host or host == "localhost") else ""
            raise _explained(name, done.stderr, f"{engine.kind.value} login {registry}".strip())
        return
    file = image_file(name)
    if file == Path(name).absolute():
        raise _failed(name, _IMAGE, "no such file", "check the path given to --image")
    logger.warning("building %s from %s; this is done once on each machine", file, name)
    file.parent.mkdir(parents=True, exist_ok=True)  # not of a study: the cache of images
    partial = file.with_name(f"{file.name}.partial-{threading.get_native_id()}")
    source = f"docker://{name.removeprefix('docker://')}"
    done = call_client(engine.program, "pull", str(partial), source, limit_s=None)
    if done.returncode != 0:
        partial.unlink(missing_ok=True)  # not of a study: a part of an image
        raise _explained(name, done.stderr, "apptainer remote login")
    partial.replace(file)


def _explained(name: str, output: str, login: str) -> LaunchError:
    """Return the error for what the engine's client or apptainer printed."""
    last = " ".join(output.split())[-300:] or "the client printed nothing"
    if _CREDENTIAL.search(last):
        fix = f"run `{login}` as this user, or check the name with --image"
        return _failed(name, LaunchFailure.CREDENTIAL, last, fix)
    if _NETWORK.search(last):
        fix = "bring the image here (`docker save` there, `docker load` here), or fix the network or proxy"
        return _failed(name, LaunchFailure.INFRASTRUCTURE, last, fix)
    return _failed(name, _IMAGE, last, "check name and tag, or name another image with --image")


def _failed(name: str, failure: LaunchFailure, found: str, fix: str) -> LaunchError:
    expected = "an image on this machine, or one that its registry gives to this user"
    problem = Problem(where=f"image {name} ({failure})", found=found, expected=expected, fix=fix)
    return LaunchError(f"the image {name} cannot be used: {found}", [problem], failure=failure)
