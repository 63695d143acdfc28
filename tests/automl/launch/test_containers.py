from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from automl.launch.engine import STUDY_LABEL, end_containers, find_engine, remove_container
from automl.study.launch_plan import LauncherKind
from tests.contracts.engines import IMAGE, PYTHON

if TYPE_CHECKING:
    import pytest


def containers_of(study: str) -> list[str]:
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"label={STUDY_LABEL}={study}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_only_the_containers_of_the_study_are_ended(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    engine = find_engine(LauncherKind.DOCKER)
    command = [IMAGE, PYTHON, "-S", "-c", "import time; time.sleep(300)"]
    for study, verb in (("left", "run --detach"), ("left", "create"), ("left-2", "create")):
        label = f"{STUDY_LABEL}={study}"
        subprocess.run(
            [engine.program, *verb.split(), "--network", "none", "--label", label, *command],
            check=True,
            capture_output=True,
        )

    assert end_containers(LauncherKind.DOCKER, "left") == 2

    assert not containers_of("left")
    [other] = containers_of("left-2")
    remove_container(engine, other)
    remove_container(engine, other)
    assert not containers_of("left-2")
