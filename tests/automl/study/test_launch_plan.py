from __future__ import annotations

from automl.study.launch_plan import LAUNCHER_NAMES


def test_nobody_can_ask_for_nothing() -> None:
    assert LAUNCHER_NAMES == ("auto", "warm", "local", "docker", "podman", "apptainer")
