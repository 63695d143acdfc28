"""The GPU's driver: left asleep until loading processes are forked, then woken while the model is built.

Starting the driver and opening a context take about half a second, in which PyTorch would hold Python's lock and
nothing else could happen. Called through ctypes they run beside the rest. Where there is no driver nothing happens;
whatever goes wrong, PyTorch meets again and tells better.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any, Final

_LIBRARY: Final = "libcuda.so.1"
_ONLY_DEVICE: Final = 0  # the first of those that CUDA_VISIBLE_DEVICES lets this process see


def leave_asleep() -> None:
    """Let PyTorch count devices without starting the driver, which a process must not be forked beside."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")


def wake() -> threading.Thread | None:
    """Start the driver in the background; None where there is none.

    A context is opened too where this process sees exactly one device, which is then the one it will use.
    """
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    os.environ.setdefault("CUDA_MODULE_LOADING", "LAZY")  # as PyTorch does before it starts the driver
    thread = threading.Thread(target=_start, args=(driver,), name="gpu-driver", daemon=True)
    thread.start()
    return thread


def _start(driver: Any) -> None:  # noqa: ANN401 - a library's functions are made when they are named
    if driver.cuInit(0) != 0 or not _sees_one_device():
        return
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if driver.cuDeviceGet(ctypes.byref(device), _ONLY_DEVICE) == 0:
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)


def _sees_one_device() -> bool:
    return len([name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]) == 1
