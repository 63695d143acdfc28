"""A Ray cluster of several nodes on this machine, with a token, as an administrator starts one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from automl.executor.ray import session as ray_session
from tests.contracts.engines import hiding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_START_S = 90.0


@contextlib.contextmanager
def local_cluster(folder: Path, *, cpus: Sequence[int], hidden: Path | None = None) -> Iterator[str]:
    """Start one node for each number of CPUs, the head first; yield the address, with its token in the environment.

    Args:
        folder: For logs and the token.
        cpus: Of each node.
        hidden: A folder that the last node sees empty, as one that is not shared (as root).
    """
    token = folder / "token"
    # Ray reads its token once per process: with another one no later test could start a Ray of its own.
    token.write_text(ray_session._TOKEN, encoding="ascii")  # noqa: SLF001 # see above
    token.chmod(0o600)
    # Ray's sockets need a short path.
    scratch = Path(tempfile.mkdtemp(prefix="ray-"))
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # the other tests keep Ray to one node by it
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(Path(__file__).parents[4]),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    address = f"127.0.0.1:{_free_port()}"
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for place, count in enumerate(cpus):
            head = ("--head", f"--port={address.split(':')[1]}", "--include-dashboard=false", f"--temp-dir={scratch}")
            more = head if place == 0 else (f"--address={address}",)
            nodes.append(_start(folder, place, count, more, hidden if place == len(cpus) - 1 else None))
            if place == 0:
                _await(address, nodes[0])
        _await_nodes(address, len(cpus))
        yield address
    finally:
        for node in nodes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGTERM)
        for node in nodes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(timeout=10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()
        shutil.rmtree(scratch, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _start(folder: Path, place: int, cpus: int, more: Sequence[str], hidden: Path | None) -> subprocess.Popen[bytes]:
    command = [
        *hiding(hidden),
        *(str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"),
        *("--node-ip-address=127.0.0.1", f"--num-cpus={cpus}", "--num-gpus=0", "--object-store-memory=100000000"),
        *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0", *more),
    ]
    with (folder / f"node{place}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _await(address: str, head: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    ends_s = time.monotonic() + _START_S
    while True:
        assert head.poll() is None, "Ray's head has ended"
        assert time.monotonic() < ends_s, "Ray's head does not listen"
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        time.sleep(0.2)


def _await_nodes(address: str, count: int) -> None:
    """Wait until a study finds them all. By a process of its own: Ray reads a cluster's token once in each."""
    words = [sys.executable, "-m", "automl.cli.app", "cluster", "wait", "--ray-address", address]
    if count > 1:
        subprocess.run([*words, "--nodes", str(count)], check=True, capture_output=True, timeout=_START_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
