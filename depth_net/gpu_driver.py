"""The GPU's driver: woken as soon as it is clear that there will be training, beside everything that needs no GPU.

Starting the driver and opening a context take a tenth of a second each, in which PyTorch would hold Python's lock and
nothing else could happen. Called through ctypes they run beside the rest: the driver starts while data are checked, the
context is opened once they are found good. Where there is no driver nothing happens; whatever goes wrong, PyTorch meets
again and tells better.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LIBRARY: Final = "libcuda.so.1"
_THREAD: Final = "gpu-driver"
_ONLY_DEVICE: Final = 0  # the first of those that CUDA_VISIBLE_DEVICES lets this process see


def wake() -> None:
    """Start the driver in the background; no device is used yet."""
    _in_background(_initialize)


def open_context() -> None:
    """Open a context in the background if this process sees exactly one device, which is then the one it will use."""
    if len([name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]) == 1:
        _in_background(_open)


def settle() -> None:
    """Wait until what runs in the background is done: nothing may be half-way where a process is forked."""
    for thread in threading.enumerate():
        if is_driver(thread):
            thread.join()


def is_driver(thread: threading.Thread) -> bool:
    """Tell whether a thread is one of those that start the driver."""
    return thread.name == _THREAD


def _in_background(step: Callable[[Any], object]) -> None:
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError:
        return
    os.environ.setdefault("CUDA_MODULE_LOADING", "LAZY")  # as PyTorch does before it starts the driver
    # No daemon: a process must not end while its driver starts.
    threading.Thread(target=step, args=(driver,), name=_THREAD).start()


def _initialize(driver: Any) -> bool:  # noqa: ANN401 - a library's functions are made when they are named
    return bool(driver.cuInit(0) == 0)


def _open(driver: Any) -> None:  # noqa: ANN401 - as above
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if _initialize(driver) and driver.cuDeviceGet(ctypes.byref(device), _ONLY_DEVICE) == 0:
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
