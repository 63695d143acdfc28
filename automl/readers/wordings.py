"""Reports of a log that say one metric in other words: of several data sets, of a summary, or only differently.

Where the log names epochs, the last value of an epoch counts, but a line that does not name it adds nothing where lines
in the same words were alone so far. Where it names none, a report in other words waits for the next: between two
reports in the words of before it is of other data, as in ``kitti abs_rel: 0.1``, ``nyu abs_rel: 0.2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.log_report import Choice

if TYPE_CHECKING:
    from automl.readers.log_report import Report

_COUNTER = re.compile(r"(?<![\w.,])\d{1,9}(?![\w.,])")
_MOST_WAITING = 100
_FEW = 2
_LAST_COUNTS = "and the last of them counts"


@dataclass(slots=True)
class Wordings(Choice):
    """Leaves reports out that are in other words than those that count."""

    # The last report that counted.
    _last: Report | None = None
    # With epochs: the last value of the epoch before, and epochs that had reports in the same words alone.
    _before: float | None = None
    _alike: int = 0
    _is_mixed: bool = False
    # Without: how many reports have counted, those in other words, and those that wait.
    _count: int = 0
    _is_first_other: bool = False
    _is_said: bool = False
    _others: list[Report] = field(default_factory=list)
    _waiting: list[Report] = field(default_factory=list)

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        if report.is_bar or report.batches is not None:
            return [report]
        if report.epoch is None:
            return self._without_epoch(report)
        last = self._last
        if last is None or last.epoch != report.epoch:
            self._alike += int(last is not None and not self._is_mixed)
            self._is_mixed = False
            self._before = last.number if last is not None else None
        elif last.number == report.number:
            return [report]
        elif last.split is report.split and self._is_left_out(last, report):
            return []
        self._last = report
        return [report]

    def end(self) -> list[Report]:
        """Return what waits, if it is more than a summary of what has counted."""
        waiting, self._waiting = self._waiting, []
        if self._is_first_other and not self._is_said:
            self.notices.say(
                "first",
                f"the first {self.notices.objective} of the log stands in other words than the later ones, and counts "
                "as an epoch; give it another name there if it is none",
            )
        if self._count < _FEW:
            if waiting:
                where, which = "in lines of the log with other words in each", "and every one counts as an epoch"
                self.notices.say_several("each", where, which)
            return waiting
        if waiting:
            self._say_left_out()
        return []

    def _is_left_out(self, last: Report, report: Report) -> bool:
        """Whether a second report of an epoch is left out; say what is to be said of it."""
        if last.is_like(report):
            if last.number != self._before and last.line[: last.start] == report.line[: report.start]:
                self.notices.say_several("several", "several times in one epoch of the log", _LAST_COUNTS)
            return False
        if not report.names_epoch and self._alike >= (1 if last.names_epoch else _FEW):
            self._say_left_out()
            return True
        self._is_mixed = True
        self.notices.say_several("words", "in lines of the log with other words for one epoch", _LAST_COUNTS)
        return False

    def _say_left_out(self) -> None:
        self._is_said = True
        where = "in lines of the log with other words than those that count"
        self.notices.say_several("left out", where, "which are not read", "give it another name there")

    def _without_epoch(self, report: Report) -> list[Report]:
        last = self._last
        if last is not None and last.number == report.number and report.has_state and not last.has_state:
            return []  # "acc: 0.7", then "New best acc: 0.7"
        is_of_another_kind = last is not None and last.split is not report.split
        if last is None or is_of_another_kind or report.begins_like(last) or _is_later(report, last):
            if self._waiting:
                self._others += self._waiting
                self._waiting = []
                self._say_left_out()
            self._is_first_other |= self._count == 1 and last is not None and _is_counted(report) > _is_counted(last)
            self._last = report
            self._count += 1
            return [report]
        if any(report.begins_like(other) for other in self._others):
            self._say_left_out()
            return []
        self._waiting.append(report)
        is_followed = any(report.begins_like(waiting) for waiting in self._waiting[:-1])
        if not is_followed and len(self._waiting) < _MOST_WAITING:
            return []
        self._is_first_other |= self._count == 1
        self._others.append(last)
        ready, self._waiting, self._last = self._waiting, [], report
        self._count += len(ready)
        return ready


def _is_counted(report: Report) -> bool:
    return _COUNTER.search(report.line[: report.start]) is not None


def _is_later(report: Report, last: Report) -> bool:
    """Whether a counter before the value has gone on."""
    counters = _COUNTER.findall(report.line[: report.start])
    return bool(counters) and counters != _COUNTER.findall(last.line[: last.start])
