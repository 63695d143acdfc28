"""Read the metric files that common trainers write by themselves, wherever below a trial they lie.

| file | written by | its epochs |
|---|---|---|
| ``metrics.csv`` | Lightning's CSVLogger, Keras' CSVLogger | counted from 0 |
| ``results.csv`` | Ultralytics | counted from 1 where the first one is 1 |
| ``trainer_state.json`` | Transformers' Trainer, in its checkpoints | how many are done, with their fraction |
| ``eval_results.json``, ``all_results.json`` | Transformers' Trainer, at the end | how many are done |
| ``scalars.json`` | MMEngine | counted from 1; of an evaluation its step |
| ``best_score.json`` | scripts | none |

They count where a trainer writes no status file and the skill names no metric file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.epochs import counted_from_one
from automl.readers.metric_file import MetricFileReader
from automl.readers.names import find_name
from automl.readers.status_file import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from automl.study.trial import Measurement

_DEEPEST_FOLDER = 5
_SEARCH_INTERVAL_S = 1.0
_BEST_SCORE = "best_score"


def _step_is_epoch(measurement: Measurement) -> Measurement:
    named = measurement if measurement.epoch is not None else replace(measurement, epoch=measurement.step)
    return counted_from_one(named)


_EPOCHS: dict[str, Callable[[Measurement], Measurement]] = {
    "eval_results.json": counted_from_one,
    "all_results.json": counted_from_one,
    "scalars.json": _step_is_epoch,
}
_NAMES = {"metrics.csv", "results.csv", "trainer_state.json", "best_score.json", *_EPOCHS}


@dataclass(slots=True)
class KnownFilesReader:
    """Reads every known metric file below a trial's directory while it grows.

    Attributes:
        directory: The trial directory.
        objective: Name of the objective, which ``best_score.json`` need not name.
        has_status: Returns whether a status file exists.
    """

    directory: Path
    objective: str
    has_status: Callable[[], bool]
    _files: dict[Path, MetricFileReader] = field(default_factory=dict)
    _first: dict[Path, int] = field(default_factory=dict)
    _next_search_s: float = 0.0

    @property
    def has_files(self) -> bool:
        """Whether a known file was found."""
        return bool(self._files)

    def read(self) -> list[Measurement]:
        """Return what is new in the files."""
        now_s = time.monotonic()
        if now_s >= self._next_search_s:
            self._search()
            self._next_search_s = now_s + _SEARCH_INTERVAL_S
        return self._collect(lambda reader: reader.read())

    def finish(self) -> list[Measurement]:
        """Return what is new in the files; call it when the writer has ended."""
        self._search()
        return self._collect(lambda reader: reader.finish())

    def _collect(self, read: Callable[[MetricFileReader], Iterable[Measurement]]) -> list[Measurement]:
        if self.has_status():
            return []
        return [m for path, reader in self._files.items() for m in self._placed(path, list(read(reader)))]

    def _placed(self, path: Path, found: list[Measurement]) -> list[Measurement]:
        if path.name == "results.csv":
            epochs = [m.epoch for m in found if m.epoch is not None]
            first = self._first.setdefault(path, epochs[0]) if epochs else self._first.get(path, 0)
            return list(map(counted_from_one, found)) if first == 1 else found
        if path.name == "best_score.json":
            return [self._named(m) for m in found]
        placed = _EPOCHS.get(path.name)
        return found if placed is None else list(map(placed, found))

    def _named(self, measurement: Measurement) -> Measurement:
        values = dict(measurement.values)
        if find_name(values, self.objective) is None and _BEST_SCORE in values:
            values[self.objective] = values[_BEST_SCORE]
        return replace(measurement, values=values)

    def _search(self) -> None:
        found = walk(self.directory, deepest=_DEEPEST_FOLDER)
        known = {folder / name for folder, _, files in found for name in files if name in _NAMES}
        for path in sorted(known - self._files.keys()):
            if not path.is_symlink():
                self._files[path] = MetricFileReader(self.directory, str(path.relative_to(self.directory)))
