"""The GPU's driver, started in the background as soon as it is known that a training run will need it.

Starting the driver, NVML, which PyTorch asks for the number of GPUs, and a context take 0.1 to 0.2 s each, during which
PyTorch would hold the GIL. Called through ctypes they run in parallel to the check of the spec and the data. Without a
driver nothing happens. Errors are ignored here; PyTorch reports them.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_DRIVER: Final = "libcuda.so.1"
_NVML: Final = "libnvidia-ml.so.1"
_THREAD: Final = "gpu-driver"
_ONLY_DEVICE: Final = 0  # the first of those that CUDA_VISIBLE_DEVICES lets this process see


def start_driver() -> None:
    """Start the driver and NVML in the background; no device is used yet."""
    _in_background(_DRIVER, _initialize)
    _in_background(_NVML, lambda nvml: nvml.nvmlInit_v2())


def open_context() -> None:
    """Open a context in the background if this process sees exactly one device, which is then the one it will use."""
    if len([name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]) == 1:
        _in_background(_DRIVER, _open)


def wait_for_driver() -> None:
    """Wait for the background threads: a process must not be forked while they run."""
    for thread in threading.enumerate():
        if is_driver(thread):
            thread.join()


def is_driver(thread: threading.Thread) -> bool:
    """Tell whether a thread is one of those that start the driver."""
    return thread.name == _THREAD


def _in_background(name: str, step: Callable[[Any], object]) -> None:
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return
    os.environ.setdefault("CUDA_MODULE_LOADING", "LAZY")  # as PyTorch does before it starts the driver
    # Not a daemon thread: a process must not end while its driver starts.
    threading.Thread(target=step, args=(library,), name=_THREAD).start()


def _initialize(driver: Any) -> bool:  # noqa: ANN401 - ctypes creates functions on access
    return bool(driver.cuInit(0) == 0)


def _open(driver: Any) -> None:  # noqa: ANN401 - as above
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if _initialize(driver) and driver.cuDeviceGet(ctypes.byref(device), _ONLY_DEVICE) == 0:
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
