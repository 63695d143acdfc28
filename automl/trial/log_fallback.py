"""The log as a source of last resort, beside the status files that say everything better.

While a trial runs, the log's numbers count only as long as there is no status file. A training loss that is not finite
counts at once in any case: progress bars know it an epoch earlier. What was held back is used at the end if the status
files never report the objective.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.log_lines import LogReader
from automl.readers.names import find_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.study.trial import Measurement

_MOST_HELD_BACK = 10_000


@dataclass(slots=True)
class LogFallback:
    """Reads a log; reports metrics only when no status file provides them.

    Attributes:
        log: The log.
        objective: Name of the objective.
        watched: Training losses whose non-finite values count at once.
        has_status: Returns whether a status file exists.
        has_objective: Returns whether the objective was measured, by whatever source.
    """

    log: Path
    objective: str
    watched: tuple[str, ...]
    has_status: Callable[[], bool]
    has_objective: Callable[[], bool]
    _reader: LogReader = field(init=False)
    _held_back: list[Measurement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = LogReader(self.log, (*self.watched, self.objective))

    def read(self) -> list[Measurement]:
        """Return what is new and counts at once."""
        return self._sift(self._reader.read())

    def finish(self) -> list[Measurement]:
        """Return what is left, and what was held back where nothing else reported the objective."""
        found = self._sift(self._reader.finish())
        if not self.has_objective():
            found = [*self._held_back, *found]
        self._held_back = []
        return found

    def _sift(self, measurements: list[Measurement]) -> list[Measurement]:
        if not self.has_status():
            return measurements
        self._held_back += [
            m for m in measurements if find_name({**m.values, **m.nonfinite}, self.objective) is not None
        ]
        del self._held_back[:-_MOST_HELD_BACK]
        urgent = [replace(m, values={}, nonfinite=self._losses(m)) for m in measurements]
        return [m for m in urgent if m.nonfinite]

    def _losses(self, measurement: Measurement) -> dict[str, str]:
        return {name: word for name, word in measurement.nonfinite.items() if name in self.watched}
