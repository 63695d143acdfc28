"""Read the metric files that common trainers write by themselves, wherever below a trial they lie.

| file | written by | its epochs |
|---|---|---|
| ``metrics.csv`` | Lightning's CSVLogger, Keras' CSVLogger | counted from 0 |
| ``results.csv`` | Ultralytics | counted from 1 where the first one is 1 |
| ``trainer_state.json`` | Transformers' Trainer, in its checkpoints | how many are done, with their fraction |
| ``eval_results.json``, ``all_results.json`` | Transformers' Trainer, at the end | how many are done |
| ``scalars.json`` | MMEngine | counted from 1; of an evaluation its step, unless all are iterations |
| ``best_score.json`` | scripts | none: it is read at the end |

They count where a trainer writes no status file and the skill names no metric file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.epochs import counted_from_one
from automl.readers.folder_search import SearchedFiles
from automl.readers.metric_file import RESULT_FILES, MetricFileReader
from automl.readers.names import find_name
from automl.readers.notices import Notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.study.trial import Measurement

_BEST_FILE = "best_score.json"
"""Holds the best value so far: a trainer may write it anew until it ends."""
_BEST_SCORE = "best_score"
_OF_MMENGINE = "scalars.json"
_NAMES = {"metrics.csv", "results.csv", "trainer_state.json", _BEST_FILE, _OF_MMENGINE, *RESULT_FILES}


@dataclass(slots=True)
class KnownFilesReader(SearchedFiles[MetricFileReader]):
    """Reads every known metric file below a trial's directory while it grows.

    Attributes:
        objective: Name of the objective, which ``best_score.json`` need not name.
        has_status: Returns whether a status file exists.
    """

    objective: str
    has_status: Callable[[], bool]
    _first: dict[Path, int] = field(default_factory=dict, init=False)
    # Files of MMEngine that name an epoch; and the file and value of the objective, by name of the file and epoch.
    _by_epoch: set[Path] = field(default_factory=set, init=False)
    _values: dict[tuple[str, int], tuple[Path, float]] = field(default_factory=dict, init=False)
    _notices: Notices = field(default_factory=Notices, init=False)

    def _is_named(self, name: str) -> bool:
        return name in _NAMES

    def _reader(self, path: Path) -> MetricFileReader:
        return MetricFileReader(self.directory, str(path.relative_to(self.directory)), objective=self.objective)

    def _read(self, path: Path, reader: MetricFileReader, *, is_over: bool) -> list[Measurement]:
        if self.has_status() or (path.name == _BEST_FILE and not is_over):
            return []
        found = self._placed(path, reader.finish() if is_over else reader.read())
        self._note_conflicts(path, found)
        return [*found, *self._notices.take()]

    def _note_conflicts(self, path: Path, found: list[Measurement]) -> None:
        """Say where two files of one name have different values of one epoch: of folds, or of two runs."""
        for measurement in found:
            name = find_name(measurement.values, self.objective)
            if name is None or measurement.epoch is None:
                continue
            other, value = self._values.setdefault((path.name, measurement.epoch), (path, measurement.values[name]))
            if other != path and value != measurement.values[name]:
                first, second = (each.relative_to(self.directory) for each in (other, path))
                self._notices.say(
                    "files",
                    f"{self.objective} of epoch {measurement.epoch} is {value:g} in {first} and "
                    f"{measurement.values[name]:g} in {second}: the last that is read counts; keep one of them",
                )

    def _placed(self, path: Path, found: list[Measurement]) -> list[Measurement]:
        if path.name == "results.csv":
            epochs = [m.epoch for m in found if m.epoch is not None]
            first = self._first.setdefault(path, epochs[0]) if epochs else self._first.get(path, 0)
            return list(map(counted_from_one, found)) if first == 1 else found
        if path.name == _BEST_FILE:
            return [self._named(m) for m in found]
        if path.name == _OF_MMENGINE:
            return [self._evaluated(path, m) for m in found]
        return found

    def _named(self, measurement: Measurement) -> Measurement:
        values = dict(measurement.values)
        if find_name(values, self.objective) is None and _BEST_SCORE in values:
            values[self.objective] = values[_BEST_SCORE]
        return replace(measurement, values=values)

    def _evaluated(self, path: Path, measurement: Measurement) -> Measurement:
        """Return a line of MMEngine: an evaluation has its epoch as step, where training names epochs."""
        if measurement.epoch is not None:
            self._by_epoch.add(path)
            return counted_from_one(measurement)
        if path not in self._by_epoch:
            return measurement
        return counted_from_one(replace(measurement, epoch=measurement.step))
