"""Check what a study needs beside the machine: versions, credentials, the address of a cluster.

Credentials are checked by name; no value of one is part of a message.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.executor.ray.folders import socket_root
from automl.machine import shown_bytes
from automl.preflight.findings import Finding, bad, doubt, from_problem, good

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.skill.model import Skill

_CONNECT_S = 1.0
_TEMPORARY_BYTES = 100 * 1024**2
"""Logs of Ray grow with a study, and what is sent to MLflow is copied first, file by file."""
_TOKEN_FILES = {"HF_TOKEN": "~/.cache/huggingface/token", "NGC_KEY": "~/.ngc/config"}


def version_finding(versions: Mapping[str, str]) -> Finding:
    """Return the row of versions."""
    return good("versions", ", ".join(f"{name.removesuffix('-vision')} {text}" for name, text in versions.items()))


def socket_finding() -> Finding:
    """Return whether a Ray of this machine has a place for its sockets and one for its files."""
    fix = "make room in one of them, or set TMPDIR to a folder of your own"
    try:
        root, files = socket_root(), tempfile.gettempdir()
        free_bytes = shutil.disk_usage(files).free
        found = f"in {root}; other files of Ray in {files}"
        if free_bytes >= _TEMPORARY_BYTES:
            return good("sockets", found)
        scarce = f"{found}, which has {shown_bytes(free_bytes)} free"
        return doubt("sockets", scarce, expected=f"at least {shown_bytes(_TEMPORARY_BYTES)}", fix=fix)
    except LaunchError as error:
        return from_problem(error.problems[0])
    except OSError as error:
        return bad("sockets", str(error.strerror or error), fix=fix)


def credential_findings(skill: Skill) -> Iterator[Finding]:
    """Return a row for each credential that the skill needs."""
    for name in skill.required_credentials:
        file = _TOKEN_FILES.get(name)
        if os.environ.get(name):
            yield good(f"credential {name}", "set in the environment")
        elif file is not None and Path(file).expanduser().is_file():
            yield good(f"credential {name}", f"in {file}")
        else:
            fix = f"export {name}=...; not needed where every download is on this machine already"
            yield doubt(f"credential {name}", "not set", expected="the skill needs it", fix=fix)


def ray_address_findings(address: str) -> list[Finding]:
    """Return what is wrong with a cluster's address, without Ray: its form, and whether something listens there."""
    if address.startswith("ray://"):
        fix = "run automl inside the cluster and name its GCS: --ray-address HOST:6379, or auto on a node of it"
        return [bad("cluster", f"{address} is an address of Ray Client", expected="HOST:PORT or auto", fix=fix)]
    host, _, port = address.rpartition(":")
    reason = unreachable(host, int(port)) if host and port.isdigit() else None
    fix = "start the head with `ray start --head`, or correct --ray-address"
    return [] if reason is None else [bad("cluster", f"{address}: {reason}", expected="a Ray head", fix=fix)]


def unreachable(host: str, port: int) -> str | None:
    """Return why no connection to a port is made; None if one is."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
