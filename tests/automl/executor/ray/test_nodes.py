from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import ray

from automl.errors import LaunchError
from automl.executor.ray.nodes import ready_node, ready_nodes
from automl.executor.ray.session import ray_session
from automl.study.launch_plan import LauncherKind, LaunchPlan
from automl.study.model import Resources
from tests.automl.launch.fake_engine import install_engine, install_silent_engine

if TYPE_CHECKING:
    from pathlib import Path

DOCKER = LaunchPlan(launcher=LauncherKind.DOCKER, image="tao:6")


def test_a_node_loses_what_earlier_runs_have_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, removed = '[{"Id": "sha256:1", "Size": 1}]', tmp_path / "removed"
    rest = f"case $1 in image) echo '{image}';; ps) echo one two;; rm) echo $@ >> {removed};; esac"
    install_engine(tmp_path / "bin", monkeypatch, rest=rest)

    assert ready_node(DOCKER, "demo-8f3a") == 2

    lines = removed.read_text(encoding="utf-8").splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two"]


def test_launchers_without_images_ask_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_silent_engine(tmp_path / "bin", monkeypatch)

    assert ready_node(LaunchPlan(), "demo-8f3a") == 0


@pytest.mark.slow
def test_a_cluster_node_that_cannot_run_the_image_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_silent_engine(tmp_path / "bin", monkeypatch)

    with ray_session(Resources(jobs=1), None), pytest.raises(LaunchError, match=r"on 1 of 1 nodes: .*no docker engine"):
        ready_nodes(DOCKER, "demo-8f3a")


@pytest.mark.slow
def test_a_worker_has_the_priority_of_the_study() -> None:
    with ray_session(Resources(jobs=1), None):
        assert ray.get(ray.remote(lambda: os.nice(0)).remote()) == os.nice(0)
