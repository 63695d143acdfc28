"""``status.json``: one JSON object per line, appended and flushed, that reports the progress of an action.

The keys, messages and their order are those of the reference, so that its readers work unchanged. Different on purpose:
every line is strict JSON (a non-finite value of ``kpi`` is ``null`` and named under ``kpi_nonfinite``), lines of a
validation have ``epoch`` and ``step``, and every failure has a FAILURE line with a machine-readable ``code``.

`depth_net.cli` opens the file and writes the first line (STARTED) and the last (``... finished successfully.`` or
FAILURE); an action writes only what happens in between.
"""

from __future__ import annotations

import json
import logging
import math
import os
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from depth_net.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

RANKS: Final = ("NODE_RANK", "GROUP_RANK", "LOCAL_RANK", "SLURM_PROCID")
"""Environment variables that number the processes of a distributed run."""


class Status(StrEnum):
    """State that a line reports."""

    STARTED = "STARTED"
    RUNNING = "RUNNING"
    FAILURE = "FAILURE"
    STOPPED = "STOPPED"
    """Asked to stop by a signal."""


class StatusWriter:
    """Appends lines to one status file.

    ``kpi`` is sticky, as in the reference: the last values are repeated on every later line until others replace them.

    Args:
        path: The file; its folder is created. None writes nothing, as on the ranks after the first.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kpi: dict[str, float] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> Path | None:
        """The file, or None where nothing is written."""
        return self._path

    def started(self, message: str) -> None:
        """Write a STARTED line."""
        self.write(Status.STARTED, message)

    def running(
        self, message: str, *, kpi: Mapping[str, float] | None = None, data: Mapping[str, object] | None = None
    ) -> None:
        """Write a RUNNING line; ``kpi`` replaces the sticky values, ``data`` comes first on the line."""
        self.write(Status.RUNNING, message, kpi=kpi, data=data)

    def warning(self, message: str, *, code: str, data: Mapping[str, object] | None = None) -> None:
        """Write a RUNNING line of verbosity WARNING with a machine-readable code; ``data`` comes after it."""
        self.write(Status.RUNNING, message, data={"code": code, **(data or {})}, verbosity="WARNING")

    def failure(self, message: str, *, code: str, data: Mapping[str, object] | None = None) -> None:
        """Write a FAILURE line with a machine-readable code, e.g. that of a `depth_net.errors.DepthNetError`."""
        self.write(Status.FAILURE, message, data={"code": code, **(data or {})}, verbosity="ERROR")

    def stopped(self, message: str) -> None:
        """Write a STOPPED line with the code ``interrupted``."""
        self.write(Status.STOPPED, message, data={"code": "interrupted"})

    def write(
        self,
        status: Status,
        message: str,
        *,
        kpi: Mapping[str, float] | None = None,
        data: Mapping[str, object] | None = None,
        verbosity: str = "INFO",
    ) -> None:
        """Append one line.

        Args:
            status: State.
            message: Text; the orchestrator may match it, so keep those of the reference.
            kpi: New values by name; None repeats the last ones.
            data: Further keys of the line; they come first.
            verbosity: INFO, WARNING or ERROR.
        """
        if kpi is not None:
            self._kpi = {name: float(value) for name, value in kpi.items()}
        if self._path is None:
            return
        now = datetime.now().astimezone()
        line: dict[str, object] = {
            **(data or {}),
            "date": f"{now.month}/{now.day}/{now.year}",
            "time": f"{now.hour}:{now.minute}:{now.second}",
            "status": status.value,
            "verbosity": verbosity,
            "message": message,
            **_kpi_fields(self._kpi),
        }
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, allow_nan=False) + "\n")


def reports(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process is the first of a distributed run, the one that writes the status file."""
    return all(environment.get(name, "0") == "0" for name in RANKS)


def warn(status: StatusWriter, message: str, *, code: str, data: Mapping[str, object] | None = None) -> None:
    """Warn in the log and in the status file; see `StatusWriter.warning`."""
    logger.warning("%s", message)
    status.warning(message, code=code, data=data)


def ends_with_failure(path: Path | None) -> bool:
    """Tell whether the last line of a status file is a FAILURE or a STOPPED line."""
    if path is None or not path.is_file():
        return False
    with open_regular(path) as stream:
        lines = stream.read().decode().splitlines()
    ends = (f'"status": "{ended}"' for ended in (Status.FAILURE, Status.STOPPED))
    return bool(lines) and any(end in lines[-1] for end in ends)


def _kpi_fields(kpi: Mapping[str, float]) -> dict[str, object]:
    """Return ``kpi`` with null for what is not finite, and ``kpi_nonfinite`` with those values as text."""
    if not kpi:
        return {}
    lost = {name: str(value) for name, value in kpi.items() if not math.isfinite(value)}
    fields: dict[str, object] = {"kpi": {name: None if name in lost else value for name, value in kpi.items()}}
    if lost:
        fields["kpi_nonfinite"] = lost
    return fields
