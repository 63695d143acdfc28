"""Take metrics from the log of a trainer that writes no status file.

A metric counts where its name, or an alias of it, stands alone and is followed by ``=`` or ``:`` and a number. A log
repeats itself, so a value counts once, for the epoch the log named last. Logs are a fallback: what a status file says
about a metric is better. The one thing a log often knows first is that a training loss is not finite.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.measurements.growing_file import GrowingFile
from automl.measurements.names import aliases
from automl.measurements.status_file import number_of
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?:nan|inf(?:inity)?)(?:\.0)?)"
_EPOCH = re.compile(r"\bepoch\b[\s:=#\[(]{0,3}(\d{1,6})(?:\s*/\s*(\d{1,6}))?", re.IGNORECASE)
_MOST_BYTES_BEHIND = 16 * 1024 * 1024
_LONGEST_LINE = 10_000


def metrics_in(line: str, names: Iterable[str]) -> dict[str, float | str]:
    """Return metric name -> last number on the line that stands behind that name or an alias of it.

    Returns:
        Finite numbers as floats; ``nan``, ``inf`` or ``-inf`` as text.
    """
    found: dict[str, float | str] = {}
    for name in names:
        for alias in aliases(name):
            matches = _pattern(alias).findall(line)
            if matches and (number := number_of(matches[-1].lower().removesuffix(".0"))) is not None:
                found[name] = number
                break
    return found


@dataclass(slots=True)
class LogReader:
    """Reads metrics from a growing log.

    Attributes:
        path: The log.
        names: The metrics to look for.
    """

    path: Path
    names: tuple[str, ...]
    _file: GrowingFile = field(init=False)
    _epoch: int | None = None
    _first_epoch: int | None = None
    _last: dict[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._file = GrowingFile(self.path, furthest_behind_bytes=_MOST_BYTES_BEHIND)

    def read(self) -> list[Measurement]:
        """Return what the log said since the last call."""
        return [found for line in self._file.read() if (found := self._learn(line)) is not None]

    def finish(self) -> list[Measurement]:
        """Return everything that is left; call it when the writer is dead."""
        return [found for line in self._file.finish() if (found := self._learn(line)) is not None]

    def _learn(self, line: str) -> Measurement | None:
        line = line[-_LONGEST_LINE:]
        self._note_epoch(line)
        if "=" not in line and ":" not in line:
            return None
        told = metrics_in(line, self.names)
        fresh = {name: number for name, number in told.items() if self._last.get(name) != number}
        if not fresh:
            return None
        self._last.update(fresh)
        return Measurement(
            epoch=self._epoch,
            values={name: number for name, number in fresh.items() if isinstance(number, float)},
            nonfinite={name: number for name, number in fresh.items() if isinstance(number, str)},
            unix_time_s=time.time(),
        )

    def _note_epoch(self, line: str) -> None:
        if (match := _EPOCH.search(line)) is None:
            return
        number = int(match[1])
        if self._first_epoch is None:
            self._first_epoch = number
        # "Epoch 1/10" as the first one counts from 1; "Epoch 0:" and a resumed "Epoch 5:" count from 0.
        self._epoch = number - 1 if self._first_epoch == 1 and number > 0 else number


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _pattern(alias: str) -> re.Pattern[str]:
    if alias not in _PATTERNS:
        name = r"\s+".join(re.escape(word) for word in alias.split())
        # "best val_acc" repeats an older epoch; a name inside a longer name is another metric.
        text = rf"(?<![\w/.\-])(?<!best )(?<!best_){name}[\"']?\s*[=:]\s*[\"']?(?:tensor\()?({_NUMBER})(?![\w])"
        _PATTERNS[alias] = re.compile(text, re.IGNORECASE)
    return _PATTERNS[alias]
