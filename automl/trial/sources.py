"""Everything that a trainer may report by, in one attempt of a trial: status files, a metric file, its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.plugins import load_plugin
from automl.readers.epochs import counted_from_one
from automl.readers.format_reader import FormatReader
from automl.readers.known_files import KnownFilesReader
from automl.readers.log_lines import LogReader
from automl.readers.metric_file import MetricFileReader
from automl.readers.metric_format import MetricFormat
from automl.readers.names import find_name
from automl.readers.status_file import StatusReader
from automl.readers.tensorboard import TensorboardReader
from automl.storage.paths import TENSORBOARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from automl.storage.paths import AttemptPaths
    from automl.study.trial import Measurement
    from automl.trial.follow import Source
    from automl.trial.task import TrialWatch


def sources_of(files: AttemptPaths, watch: TrialWatch, *, has_objective: Callable[[], bool]) -> list[Source]:
    """Return the sources of an attempt, the most trusted first; ``has_objective`` returns whether one reported it."""
    status = StatusReader(files.root)
    named = watch.metric_file
    known = KnownFilesReader(files.root, watch.objective.metric, lambda: status.has_files)
    is_tensorboard = named is not None and TENSORBOARD in named
    named_files = []
    if named is not None and not is_tensorboard:
        named_files = [MetricFileReader(files.root, named, objective=watch.objective.metric, is_expected=True)]
    events = TensorboardReader(
        files.root,
        watch.objective.metric,
        has_status=lambda: status.has_files or known.has_files,
        has_objective=has_objective,
        first_epoch=watch.first_epoch,
        pattern=named if is_tensorboard else None,
    )
    log = LogReader(
        files.log_file,
        watch.objective.metric,
        # In a log, "loss" may be any loss.
        tuple(name for name in watch.watched if name.startswith("train")),
        has_status=lambda: (
            status.has_files or known.has_files or events.has_files or any(file.has_files for file in named_files)
        ),
        has_objective=has_objective,
        first_epoch=watch.first_epoch,
    )
    formats = [load_plugin(plugin, MetricFormat)() for plugin in watch.readers]  # type: ignore[type-abstract]  # a plug-in's class is concrete
    plugged = [FormatReader(files.root, form) for form in formats]
    declared: list[Source] = [status, *named_files]
    if watch.first_epoch:
        declared = [_CountedFromOne(source) for source in declared]
    found: list[Source] = [known] if named is None else []
    return [*declared, *plugged, *found, *([] if named_files else [events]), log]


def recorded_measurements(files: AttemptPaths, watch: TrialWatch) -> Iterator[Measurement]:
    """Yield what an attempt that has ended has reported.

    Its log counts only where the number of its first epoch is known: a log that begins at "Epoch 5" does not tell
    whether that is the fifth.
    """
    has_objective = False
    sources = sources_of(files, watch, has_objective=lambda: has_objective)
    for source in sources if watch.first_epoch is not None else sources[:-1]:
        for measurement in source.finish():
            reported = {**measurement.values, **measurement.nonfinite}
            has_objective = has_objective or find_name(reported, watch.objective.metric) is not None
            if measurement.values:
                yield measurement


@dataclass(slots=True)
class _CountedFromOne:
    """A source whose epochs are counted from 1, as one whose epochs are counted from 0."""

    source: Source

    def read(self) -> list[Measurement]:
        return list(map(counted_from_one, self.source.read()))

    def finish(self) -> Iterable[Measurement]:
        return map(counted_from_one, self.source.finish())
