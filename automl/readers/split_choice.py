"""Which reports of a log count where some are of validation, and others of training, of a test or of the past.

``train loss: 1 acc: 0.9`` and ``val loss: 1 acc: 0.8`` would both be read as ``acc``. The reports of the most trusted
kind count. Of a less trusted one the first waits for the next report: a log may have no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.readers.log_report import Choice
from automl.readers.splits import Split

if TYPE_CHECKING:
    from automl.readers.log_report import Report

_FEW = 2


@dataclass(slots=True)
class SplitChoice(Choice):
    """Leaves reports out that are of another kind than those that count."""

    _counting: Split | None = None
    _waiting: Report | None = None
    # Epochs, or reports without one, that have counted; and the epoch of the last one.
    _rounds: int = 0
    _epoch: int | None = None

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        if self._counting is None:
            return self._first(report)
        if report.split < self._counting:
            self._counting, self._rounds, self._epoch = report.split, 0, None
        if report.split is self._counting:
            return self._accepted(report)
        waiting, self._waiting = self._waiting, report
        if self._is_tested_each_epoch(report):
            self._counting = Split.TEST
            return self._accepted(report)
        is_followed = waiting is not None and waiting.split is report.split is not Split.REMARK
        if waiting is not None and is_followed and self._rounds < _FEW:
            self._counting = report.split
            return [*self._accepted(waiting), *self._accepted(report)]
        return []

    def end(self) -> list[Report]:
        """Return the report that waits, if there were no others."""
        waiting, self._waiting = self._waiting, None
        return [waiting] if waiting is not None and self._counting is None else []

    def _first(self, report: Report) -> list[Report]:
        waiting, self._waiting = self._waiting, None
        is_trusted = report.split <= Split.UNNAMED or (report.split is Split.TEST and report.epoch is not None)
        if is_trusted or (waiting is not None and report.split < waiting.split):
            self._counting = report.split
            return self._accepted(report)
        self._waiting = report
        if waiting is None:
            return []
        self._counting = waiting.split
        return [*self._accepted(waiting), *(self.take(report) if report.split is waiting.split else [])]

    def _accepted(self, report: Report) -> list[Report]:
        if self._waiting is not None and self._waiting.split is Split.TEST and self._counting is Split.UNNAMED:
            self._say_test("not counted")
        self._waiting = None
        if report.epoch is None or report.epoch != self._epoch:
            self._rounds += 1
        self._epoch = report.epoch
        return [report]

    def _is_tested_each_epoch(self, report: Report) -> bool:
        """Whether reports of a test begin with the first epoch: then those without a word are of training."""
        is_tested = report.split is Split.TEST and self._counting is Split.UNNAMED and self._rounds < _FEW
        if is_tested:
            self._say_test("those that count")
        return is_tested

    def _say_test(self, what: str) -> None:
        where = "in lines of the log with test before it and in others"
        self.notices.say_several("test", where, f"and those of the test are {what}")
