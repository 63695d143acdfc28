from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.launch.container import ContainerLauncher
from automl.study.launching import LauncherKind
from tests.contracts.container import ContainerLauncherContract

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestDockerLauncher(ContainerLauncherContract):
    kind = LauncherKind.DOCKER

    @pytest.fixture(autouse=True)
    def _launch(self, docker_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("DOCKER_HOST", docker_host)
        self.launcher = ContainerLauncher(self.kind)
        yield
        self.launcher.close()


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
