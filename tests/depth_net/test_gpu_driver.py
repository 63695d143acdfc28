from __future__ import annotations

import ctypes
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from depth_net.gpu_driver import is_driver, open_context, start_driver, wait_for_driver

if TYPE_CHECKING:
    from collections.abc import Callable


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
    monkeypatch.setenv("CUDA_MODULE_LOADING", "before")


def calls_of(step: Callable[[], None], driver: StubDriver, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver)
    step()
    wait_for_driver()
    return driver.calls


def test_waking_starts_the_driver_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    assert sorted(calls_of(start_driver, StubDriver(), monkeypatch)) == ["cuInit", "nvmlInit_v2"]


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

    calls = calls_of(open_context, StubDriver(), monkeypatch)

    assert calls == (["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain"] if is_opened else [])


def test_a_driver_that_does_not_start_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    assert calls_of(open_context, StubDriver(status=100), monkeypatch) == ["cuInit"]


def test_settling_waits_for_a_driver_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    class SlowDriver(StubDriver):
        def cuInit(self, _flags: int) -> int:  # noqa: N802 - the driver's name
            goes_on.wait(10.0)
            self.calls.append("started")
            return 0

    driver = SlowDriver()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver)
    start_driver()
    assert any(map(is_driver, threading.enumerate()))
    threading.Timer(0.1, goes_on.set).start()

    wait_for_driver()

    assert "started" in driver.calls
    assert not any(map(is_driver, threading.enumerate()))


def test_without_a_driver_nothing_is_started_or_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError

    monkeypatch.delenv("CUDA_MODULE_LOADING")
    monkeypatch.setattr(ctypes, "CDLL", missing)

    start_driver()

    assert not any(map(is_driver, threading.enumerate()))
    assert "CUDA_MODULE_LOADING" not in os.environ
