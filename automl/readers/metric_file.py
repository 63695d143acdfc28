"""Read metrics from a JSON file that a trainer writes at its end or rewrites from time to time.

Three forms are read: one object of metrics (nested names are joined with ``/``), a list of such objects with their
epochs, and an object of lists with one number per epoch.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.status_file import parse_line
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def read_metrics(text: str) -> list[Measurement]:
    """Read the text of a metric file; nothing where it is not JSON or holds no number."""
    try:
        document: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return []
    entries = document if isinstance(document, list) else [document]
    return [found for entry in entries if isinstance(entry, dict) for found in _of_object(entry)]


@dataclass(slots=True)
class MetricFileReader:
    """Reads a metric file whenever it has changed and is complete.

    Attributes:
        directory: The trial directory.
        name: The file, relative to the directory; it need not exist yet. Once the writer has ended, a file of that
            name in a folder below counts too.
    """

    directory: Path
    name: str
    _seen: tuple[int, int] = field(default=(-1, -1))
    _returned: list[tuple[int | None, dict[str, float], dict[str, str]]] = field(default_factory=list)

    def read(self) -> list[Measurement]:
        """Return what is new in the file."""
        return self._read(self.directory / self.name)

    def finish(self) -> list[Measurement]:
        """Return what is new in the file; call it when the writer has ended."""
        direct = self.directory / self.name
        if direct.is_file():
            return self._read(direct)
        below = sorted(self.directory.rglob(direct.name))
        return self._read(below[0]) if below else []

    def _read(self, path: Path) -> list[Measurement]:
        try:
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) == self._seen:
                return []
            found = read_metrics(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return []
        self._seen = (status.st_size, status.st_mtime_ns)
        fresh = [m for m in found if (m.epoch, dict(m.values), dict(m.nonfinite)) not in self._returned]
        self._returned += [(m.epoch, dict(m.values), dict(m.nonfinite)) for m in fresh]
        return fresh


def _of_object(entry: dict[str, JsonValue]) -> list[Measurement]:
    histories = {name: value for name, value in entry.items() if isinstance(value, list) and value}
    metrics = {name: value for name, value in entry.items() if name not in histories}
    found = [_measured({"epoch": metrics.get("epoch"), "kpi": metrics})]
    longest = max((len(history) for history in histories.values()), default=0)
    for epoch in range(longest):
        row: dict[str, JsonValue] = {name: h[epoch] for name, h in histories.items() if epoch < len(h)}
        found.append(_measured({"epoch": epoch, "kpi": row}))
    return [m for m in found if m is not None and (m.values or m.nonfinite)]


def _measured(line: dict[str, JsonValue]) -> Measurement | None:
    kpi = line["kpi"]
    if isinstance(kpi, dict):
        kpi = {name: value for name, value in kpi.items() if name not in {"epoch", "step", "best_epoch"}}
    measured = parse_line(json.dumps({**line, "kpi": kpi}))
    if measured is None:
        return None
    return Measurement(
        epoch=measured.epoch, values=measured.values, nonfinite=measured.nonfinite, unix_time_s=time.time()
    )
