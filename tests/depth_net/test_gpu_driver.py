from __future__ import annotations

import ctypes
import os
from typing import Any

import pytest

from depth_net.gpu_driver import leave_asleep, wake


class StubDriver:
    """Notes what is called."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as a library of ctypes
        def call(*_: object) -> int:
            self.calls.append(name)
            return self.status

        return call


@pytest.fixture(autouse=True)
def _restored_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_MODULE_LOADING", "PYTORCH_NVML_BASED_CUDA_CHECK"):
        monkeypatch.setenv(name, "before")


def woken(driver: StubDriver, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver)
    thread = wake()
    assert thread is not None
    thread.join(10.0)
    return driver.calls


@pytest.mark.parametrize(
    ("visible", "is_opened"), [("3", True), ("GPU-1b2c", True), ("0,1", False), ("", False), (None, False)]
)
def test_a_context_is_opened_on_the_only_device_and_never_on_a_guess(
    visible: str | None,
    is_opened: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    calls = woken(StubDriver(), monkeypatch)

    assert calls[0] == "cuInit"
    assert ("cuDevicePrimaryCtxRetain" in calls) is is_opened


def test_a_driver_that_does_not_start_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    assert woken(StubDriver(status=100), monkeypatch) == ["cuInit"]


def test_without_a_driver_nothing_is_started_or_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError

    monkeypatch.delenv("CUDA_MODULE_LOADING")
    monkeypatch.setattr(ctypes, "CDLL", missing)

    assert wake() is None
    assert "CUDA_MODULE_LOADING" not in os.environ


def test_devices_are_counted_without_the_driver_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_asleep()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "before"

    monkeypatch.delenv("PYTORCH_NVML_BASED_CUDA_CHECK")
    leave_asleep()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"
