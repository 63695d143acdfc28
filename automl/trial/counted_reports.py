"""Count the reports of a trainer that never names an epoch: each report of its objective ends one.

One report alone may as well be the summary of a finished training. So the first one waits for the second, which shows
that they are one per epoch, and counts for the last epoch where none comes. A report without an epoch beside others
with one adds nothing. Values that are not finite never wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.names import find_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from automl.study.trial import Measurement
    from automl.trial.follow import Source


@dataclass(slots=True)
class NamedEpochs:
    """Whether any source of a trial has named an epoch of its objective; all of them share it."""

    are_known: bool = False


@dataclass(slots=True)
class CountedReports:
    """A source whose reports of the objective have an epoch.

    Attributes:
        source: The source.
        objective: Name of the objective.
        first_epoch: Zero-based epoch of the first report; above 0 the attempt continues one that had epochs.
        named: Of all sources of the trial.
    """

    source: Source
    objective: str
    first_epoch: int
    named: NamedEpochs
    _counted: int = 0
    _waiting: Measurement | None = field(default=None, init=False)

    def read(self) -> list[Measurement]:
        """Return what is new."""
        return list(self._placed(self.source.read()))

    def finish(self) -> Iterator[Measurement]:
        """Yield what is left, and the one report without an epoch if there was no second one."""
        yield from self._placed(self.source.finish())
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            yield waiting

    def _placed(self, measurements: Iterable[Measurement]) -> Iterator[Measurement]:
        for measurement in measurements:
            is_report = find_name(measurement.values, self.objective) is not None
            if is_report and measurement.epoch is not None:
                self.named.are_known = True
            if measurement.epoch is not None or self.named.are_known or not is_report:
                yield measurement if measurement.epoch is not None else self._in_progress(measurement)
            else:
                yield from self._reported(measurement)

    def _in_progress(self, measurement: Measurement) -> Measurement:
        """Return what was measured in the epoch after the last one that was counted."""
        return replace(measurement, epoch=self.first_epoch + self._counted) if self._counted else measurement

    def _reported(self, measurement: Measurement) -> Iterator[Measurement]:
        if not self._counted and not self.first_epoch and self._waiting is None:
            self._waiting = replace(measurement, nonfinite={})
            yield replace(measurement, values={})
            return
        reports = [measurement] if self._waiting is None else [self._waiting, measurement]
        self._waiting = None
        for report in reports:
            yield replace(report, epoch=self.first_epoch + self._counted)
            self._counted += 1
