"""Everything that a trainer may report by, in one attempt of a trial: status files, a metric file, its log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from automl.plugins import load_plugin
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
    from collections.abc import Callable, Iterator

    from automl.storage.held_log import HeldLog
    from automl.storage.paths import AttemptPaths
    from automl.study.trial import Measurement
    from automl.trial.follow import Source
    from automl.trial.watch import TrialWatch


def sources_of(
    files: AttemptPaths, watch: TrialWatch, *, has_objective: Callable[[], bool], held: HeldLog | None = None
) -> list[Source]:
    """Return the sources of an attempt, the most trusted first; the logs are the last ones.

    Args:
        files: Of the attempt.
        watch: What is looked for.
        has_objective: Returns whether a source has reported the objective.
        held: The log of an attempt that runs.
    """
    first_epoch = watch.first_epoch or 0
    status = StatusReader(files.root, first_epoch, is_own=watch.is_function)
    formats = [load_plugin(plugin, MetricFormat)() for plugin in watch.readers]  # type: ignore[type-abstract]  # a plug-in's class is concrete
    plugged = [FormatReader(files.root, form) for form in formats]
    if watch.is_function:
        return [status, *plugged]
    named = watch.metric_file
    known = KnownFilesReader(files.root, watch.objective.metric, lambda: status.has_files)
    is_tensorboard = named is not None and TENSORBOARD in named
    named_files = []
    if named is not None and not is_tensorboard:
        named_files = [
            MetricFileReader(
                files.root,
                named,
                objective=watch.objective.metric,
                first_epoch=first_epoch,
                is_expected=True,
            )
        ]
    events = TensorboardReader(
        files.root,
        watch.objective.metric,
        has_status=lambda: status.has_files or known.has_files,
        has_objective=has_objective,
        first_epoch=watch.first_epoch,
        max_epochs=watch.max_epochs,
        pattern=named if is_tensorboard else None,
    )
    reader = partial(
        LogReader,
        objective=watch.objective.metric,
        # In a log, "loss" may be any loss.
        watched=tuple(name for name in watch.watched if name.startswith("train")),
        has_objective=has_objective,
        first_epoch=watch.first_epoch,
    )

    def has_status() -> bool:
        is_there = status.has_files or known.has_files or events.has_files
        return is_there or any(file.has_files for file in named_files)

    log = reader(files.log_file, has_status=has_status, held=held)
    # A trainer that has removed the log may write another one in its place, and print the same or nothing.
    own_log = reader(
        files.own_log if held is None else files.log_file,
        has_status=lambda: log.names_objective or has_status(),
        beside=held,
    )
    found: list[Source] = [known] if named is None else []
    return [status, *named_files, *plugged, *found, *([] if named_files else [events]), log, own_log]


def recorded_measurements(files: AttemptPaths, watch: TrialWatch) -> Iterator[Measurement]:
    """Yield what an attempt that has ended has reported.

    Its log counts only where the number of its first epoch is known: a log that begins at "Epoch 5" does not tell
    whether that is the fifth.
    """
    has_objective = False
    sources = sources_of(files, watch, has_objective=lambda: has_objective)
    if watch.first_epoch is None:
        sources = [source for source in sources if not isinstance(source, LogReader)]
    for source in sources:
        for measurement in source.finish():
            reported = {**measurement.values, **measurement.nonfinite}
            has_objective = has_objective or find_name(reported, watch.objective.metric) is not None
            if measurement.values:
                yield measurement
