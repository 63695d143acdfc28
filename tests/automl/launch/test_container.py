from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from automl.launch.container import ContainerLauncher, find_caller, run_arguments
from automl.launch.engine import find_engine
from automl.study.launch_plan import LauncherKind
from automl.testing.launchers import unique_tag
from tests.automl.launch.fake_engine import install_gpus
from tests.contracts.container import ContainerLauncherContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TestDockerLauncher(ContainerLauncherContract):
    kind = LauncherKind.DOCKER

    @pytest.fixture(autouse=True)
    def _launch(self, docker_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("DOCKER_HOST", docker_host)
        self.launcher = ContainerLauncher(self.kind)
        yield
        self.launcher.close()

    @pytest.mark.parametrize("gpus", [("1",), ("1", "3")])
    def test_the_engine_is_asked_for_exactly_the_gpus_of_the_trial(
        self, gpus: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Created and not started: there is no GPU here, and the engine has read the request by then."""
        install_gpus(tmp_path / "programs", monkeypatch, 4)
        request = dataclasses.replace(self.request("pass", tmp_path, unique_tag()), gpus=gpus)
        words = run_arguments(request, find_engine(self.kind), find_caller())

        container = self.ask("create", *words)
        devices = json.loads(self.ask("inspect", "--format", "{{json .HostConfig.DeviceRequests}}", container))
        self.ask("rm", container)

        assert [(asked["DeviceIDs"], asked["Count"]) for asked in devices] == [([f"GPU-aaa{gpu}" for gpu in gpus], 0)]


@pytest.mark.slow
class TestPodmanLauncher(ContainerLauncherContract):
    kind = LauncherKind.PODMAN

    @pytest.fixture(autouse=True)
    def _launch(self, podman_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name, value in podman_variables.items():
            monkeypatch.setenv(name, value)
        self.launcher = ContainerLauncher(self.kind)
        yield
        self.launcher.close()
