"""A container engine's client that answers what a test wants, and a fake nvidia-smi, as programs on PATH."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DOCKER_INFO = {"ServerVersion": "27.1", "Architecture": "x86_64", "SecurityOptions": ["name=seccomp"]}
PODMAN_INFO = {"version": {"Version": "4.3.1"}, "host": {"arch": "amd64", "security": {"rootless": False}}}


def install_program(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Put a shell script on PATH, before everything else."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def install_engine(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str = "docker",
    info: dict[str, Any] | None = None,
    rest: str = "",
) -> None:
    """Put an engine's client on PATH that answers `info`; ``rest`` is shell text for its other verbs."""
    answer = json.dumps(info if info is not None else {"docker": DOCKER_INFO, "podman": PODMAN_INFO}[name])
    install_program(folder, monkeypatch, name, f"if [ $1 = info ]; then echo '{answer}'; exit; fi\n{rest}")


def install_silent_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a docker client on PATH behind which there is no engine."""
    words = "Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?"
    install_program(folder, monkeypatch, "docker", f"echo '{words}' >&2; echo '{{\"ServerVersion\": \"\"}}'; exit 1")


def install_gpus(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Put an nvidia-smi on PATH that lists so many GPUs, ``GPU-aaa0``, ``GPU-aaa1``, ..."""
    lines = [f"echo '{index}, GPU-aaa{index}, NVIDIA H200, 143771, 550.54, 0'" for index in range(count)]
    install_program(folder, monkeypatch, "nvidia-smi", "\n".join(lines))
