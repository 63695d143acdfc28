"""TensorBoard's event files in the folder of every trial: ``tensorboard --logdir STUDY/trials`` works, also live.

Scalars only: records of ``Event``, see ``tensorflow/core/util/event.proto``. They are written here, because the library
for it imports torch where that is installed: 2.4 s of processor time in the process that runs the study.
"""

from __future__ import annotations

import logging
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from automl import clock
from automl.regular_file import open_to_append
from automl.storage.held_study import require_held
from automl.storage.own_attempts import require_own_attempt
from automl.storage.paths import AttemptPaths
from automl.storage.tf_record import record
from automl.study.events import Measured, TrialEnded, TrialStarted
from automl.tracking.base import Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO

    from automl.storage.event_log import Entry
    from automl.storage.paths import StudyPaths

logger = logging.getLogger(__name__)

_VERSION = b"brain.Event:2"
_VARINT_BITS = 7
_MORE = 0x80
_LARGEST = 3.4e38
"""Beyond it a number has no 32 bits."""


class TensorboardTracker(Tracker):
    """Writes the measurements of each trial to an event file in its folder; the epoch is the step."""

    def __init__(self) -> None:
        self._root = Path()
        self._files: dict[int, FileIO] = {}
        self._steps: dict[int, int] = {}
        self._has_warned = False

    def open(self, study: StudyPaths) -> None:
        """Note where the folders of the trials are."""
        self._root = study.root

    def record(self, entry: Entry) -> None:
        """Begin the file of an attempt, add the values of a measurement or end the file."""
        match entry.event:
            case TrialStarted(trial=number, directory=directory, start=start):
                self._close(number)
                attempt = AttemptPaths(self._root / directory)
                file = attempt.tensorboard_file(f"{int(clock.unix_time_s())}.{socket.gethostname()}.automl")
                try:
                    require_held(file.parent)
                    require_own_attempt(attempt, start.get("token", ""))
                    self._files[number] = open_to_append(file, mode=0o644)
                except OSError as error:
                    self._warn(error)
                    return
                self._write(number, encode_event(clock.unix_time_s(), version=_VERSION))
            case Measured(trial=number, epoch=epoch, values=values) if number in self._files:
                if epoch is not None:
                    self._steps[number] = epoch
                if values:
                    time_s = entry.event.unix_time_s or entry.time.timestamp()
                    self._write(number, encode_event(time_s, step=self._steps.get(number, 0), values=values))
            case TrialEnded(result=result):
                self._close(result.number)
            case _:
                pass

    def close(self) -> None:
        """End every file."""
        for number in tuple(self._files):
            self._close(number)

    def _write(self, number: int, event: bytes) -> None:
        try:
            self._files[number].write(record(event))
        except OSError as error:
            self._warn(error)

    def _close(self, number: int) -> None:
        self._steps.pop(number, None)
        if (handle := self._files.pop(number, None)) is not None:
            handle.close()

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            logger.warning("TensorBoard's event files cannot be written: %s", error)
        self._has_warned = True


def encode_event(
    time_s: float, *, step: int = 0, values: Mapping[str, float] | None = None, version: bytes = b""
) -> bytes:
    """Return an ``Event``: wall time, and either the version of the format or a step with scalars.

    Args:
        time_s: Unix time.
        step: Not negative.
        values: Name -> finite number; kept with 32 bits.
        version: Of the first event of a file.
    """
    event = b"\x09" + struct.pack("<d", time_s)
    if step:
        event += b"\x10" + _varint(step)
    if version:
        event += _field(b"\x1a", version)
    if values:
        summary = b"".join(
            _field(
                b"\x0a", _field(b"\x0a", name.encode(errors="backslashreplace")) + b"\x15" + struct.pack("<f", value)
            )
            for name, value in values.items()
            if abs(value) < _LARGEST
        )
        event += _field(b"\x2a", summary)
    return event


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & (_MORE - 1) | _MORE)
        value >>= _VARINT_BITS
    encoded.append(value)
    return bytes(encoded)
