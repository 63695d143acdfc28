"""Processes of the warm server that have started the driver of a trial's devices before there is a trial.

Starting a GPU's driver takes 0.1 to 0.2 s, and reads which devices it shall see: so it cannot be done for any trial, as
preloading is. The next trial of a slot nearly always gets the devices of the one before. No memory of a device is used.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.control import ControlSocket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

_AFTER_S = 1.0
"""How long after a trial the next process is asked for: the trial that has just begun needs the processor more."""
_OF_DEVICES = ("CUDA_", "NVIDIA_")

Devices = frozenset[tuple[str, str]]


class Standby:
    """One waiting process for each set of devices that a launcher's trials have had.

    Args:
        connect: Opens the connection of one job; may raise `LaunchError`.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._waiting: dict[Devices, socket.socket] = {}
        self._timers: dict[Devices, threading.Timer] = {}
        self._is_closed = False

    def take(self, environment: Mapping[str, str]) -> socket.socket | None:
        """Return the connection of the process that waits for these devices; None where none does."""
        with self._lock:
            connection = self._waiting.pop(devices_of(environment), None)
        if connection is not None and select.select([connection], [], [], 0.0)[0]:
            connection.close()  # its supervisor has ended: the server was killed
            return None
        return connection

    def ask(self, environment: Mapping[str, str]) -> None:
        """Let a process wait for the devices of this environment, soon."""
        devices = devices_of(environment)
        timer = threading.Timer(_AFTER_S, self._begin, (devices,))
        timer.daemon = True
        with self._lock:
            if not self._is_closed and devices not in self._timers:
                self._timers[devices] = timer
                timer.start()

    def close(self) -> None:
        """End what waits."""
        with self._lock:
            self._is_closed = True
            for timer in self._timers.values():
                timer.cancel()
            for connection in self._waiting.values():
                connection.close()
            self._waiting.clear()

    def _begin(self, devices: Devices) -> None:
        with self._lock:
            self._timers.pop(devices, None)
            if self._is_closed or devices in self._waiting:
                return
        try:
            connection = self._connect()
        except LaunchError as error:
            logger.debug("no process waits for the next trial: %s", error)
            return
        with contextlib.suppress(OSError):  # its supervisor has ended: seen when it is taken
            ControlSocket(connection).send({"standby": dict(devices)})
        self._keep(devices, connection)

    def _keep(self, devices: Devices, connection: socket.socket) -> None:
        with self._lock:
            if self._is_closed:
                connection.close()
            else:
                self._waiting[devices] = connection


def devices_of(environment: Mapping[str, str]) -> Devices:
    """Return the variables that decide which devices a process sees, and how."""
    return frozenset((name, value) for name, value in environment.items() if name.startswith(_OF_DEVICES))
