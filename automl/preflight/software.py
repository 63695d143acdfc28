"""What a study needs beside the machine: versions, credentials, a container engine with its image, the record's server.

Credentials are looked for by name; no value is ever read into a message.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from automl.errors import LaunchError
from automl.launch.choice import check_engine
from automl.launch.images import find_image
from automl.preflight.findings import Finding, bad, doubt, good
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.skill.model import Skill
    from automl.study.launch_plan import LaunchPlan

_CONNECT_S = 1.0
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
# NVIDIA's table of minor version compatibility: the first driver that runs any CUDA of a major version.
_LEAST_DRIVER = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}
_TOKEN_FILES = {"HF_TOKEN": ("~/.cache/huggingface/token",), "NGC_KEY": ("~/.ngc/config",)}


def version_finding(versions: Mapping[str, str]) -> Finding:
    """Return the row of versions."""
    return good("versions", ", ".join(f"{name.removesuffix('-vision')} {text}" for name, text in versions.items()))


def credential_findings(skill: Skill) -> Iterator[Finding]:
    """Say which of the credentials that the skill asks for are there, by name."""
    for name in skill.required_credentials:
        files = [place for place in _TOKEN_FILES.get(name, ()) if Path(place).expanduser().is_file()]
        if os.environ.get(name):
            yield good(f"credential {name}", "set in the environment")
        elif files:
            yield good(f"credential {name}", f"in {files[0]}")
        else:
            fix = f"export {name}=...; not needed where everything that is downloaded is here already"
            yield doubt(f"credential {name}", "not set", expected="the skill asks for it", fix=fix)


def launch_findings(launch: LaunchPlan, *, driver: str = "", is_quick: bool = False) -> Iterator[Finding]:
    """Say whether the chosen launcher can start trials: the engine answers, the image is here or will be pulled.

    Args:
        launch: What the plan has chosen.
        driver: Version of this machine's GPU driver; empty where there is none.
        is_quick: Ask no engine; a run makes its image ready right afterwards.
    """
    if launch.launcher is LauncherKind.NONE:
        fix = "start docker, or choose --launcher podman or apptainer; or install the trainer here: --launcher local"
        yield bad("launcher", launch.reason, expected="something that can run the skill", fix=fix)
    if is_quick or not launch.launcher.uses_image or launch.image is None:
        return
    try:
        version = check_engine(launch.launcher)
        image = find_image(launch.launcher, launch.image)
    except LaunchError as error:
        problem = error.problems[0]
        yield bad("engine", problem.found, expected=problem.expected, fix=problem.fix)
        return
    yield good("engine", f"{launch.launcher.value} {version}")
    if image is None:
        yield doubt("image", f"{launch.image} is not here", fix="nothing to do: it is pulled before the first trial")
    else:
        yield good("image", f"{launch.image}, {image.size_bytes / 1e9:.1f} GB, {image.digest}")
        yield from _driver(driver, image.cuda)


def _driver(driver: str, cuda: str) -> Iterator[Finding]:
    """Compare the driver with the CUDA of an image."""
    needed = _LEAST_DRIVER.get(cuda.split(".", maxsplit=1)[0])
    if not driver or needed is None:
        return
    words = f"{driver}; the image has CUDA {cuda}"
    if _numbers(driver) < _numbers(needed):
        fix = "update the driver, or choose an older image; images with NVIDIA's compatibility libraries may still run"
        yield doubt("driver", words, expected=f"at least {needed}", fix=fix)
    else:
        yield good("driver", words)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def tracking_finding(uri: str) -> Finding:
    """Say whether the tracking server answers; a study runs without it and keeps the record until it does."""
    parts = urlsplit(uri)
    port = parts.port or _PORTS.get(parts.scheme.split("+")[0])
    shown = f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else uri
    if not parts.hostname or port is None:
        return good("record", uri)
    reason = unreachable(parts.hostname, port)
    if reason is None:
        return good("record", f"{shown} answers")
    fix = "start the server, or correct --tracking-uri; meanwhile the record is kept and `automl sync` sends it"
    return doubt("record", f"{shown}: {reason}", fix=fix)


def ray_address_findings(address: str) -> list[Finding]:
    """Say what is wrong with a cluster's address, without Ray: its form, and whether something listens there."""
    if address.startswith("ray://"):
        fix = "run automl inside the cluster and name its GCS: --ray-address HOST:6379, or auto on a node of it"
        return [bad("cluster", f"{address} is an address of Ray Client", expected="HOST:PORT or auto", fix=fix)]
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return []
    reason = unreachable(host, int(port))
    fix = "start the head with `ray start --head`, or correct --ray-address"
    return [] if reason is None else [bad("cluster", f"{address}: {reason}", expected="a Ray head", fix=fix)]


def unreachable(host: str, port: int) -> str | None:
    """Return why no connection to a port is made; None if one is."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
