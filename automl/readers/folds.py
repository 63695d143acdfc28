"""Reports of a log that has several folds of a cross-validation, or that counts its epochs anew."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.log_report import Choice

if TYPE_CHECKING:
    from automl.readers.log_report import Report

_FOLD = re.compile(r"\bfold\b[\s:=#\[(]{0,3}(\d{1,3})(?:\s?(?:/|of)\s?(\d{1,3}))?", re.IGNORECASE)
_MEAN = re.compile(r"\b(?:mean|average|avg|overall|across|cv)\b", re.IGNORECASE)
_MOST_HELD = 10_000


@dataclass(slots=True)
class Folds(Choice):
    """Holds the reports of folds until their mean is known.

    Reports of a fold with epochs count at once where the log does not say that there are several: one training may be
    one fold. Those of further folds are left out.

    Attributes:
        is_back: The log has named an earlier epoch since the last report.
    """

    is_back: bool = False
    _fold: int | None = None
    _first: int | None = None
    _of: int = 0
    _held: list[tuple[int, Report]] = field(default_factory=list)
    _latest: int = -1
    _number: float | None = None

    def note(self, line: str) -> None:
        """Take over the fold that a line names."""
        if (match := _FOLD.search(line)) is not None:
            self._fold, self._of = int(match[1]), int(match[2] or self._of)
            self._first = self._fold if self._first is None else self._first

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        if self._fold is None:
            self._note_restart(report)
            return [report]
        if self._of > 1 or report.epoch is None or self._held:
            self._held.append((self._fold, report))
            del self._held[:-_MOST_HELD]
            return []
        if self._fold == self._first:
            return [report]
        self.notices.say(
            "folds",
            f"the log has several folds, and {self.notices.objective} of fold {self._first} alone counts; print the "
            "mean under a name of its own, and name that as the metric",
        )
        return []

    def end(self) -> list[Report]:
        """Return what was held: the mean of several folds, or every report of the only one."""
        held, self._held = self._held, []
        folds = {fold for fold, _ in held}
        if len(folds) <= 1:
            return [report for _, report in held]
        last, earlier = held[-1][1], (report for _, report in held[:-1])
        if _MEAN.search(last.line) and not any(report.is_like(last) for report in earlier):
            return [last._replace(epoch=None)]
        self.notices.say(
            "folds",
            f"{self.notices.objective} was not read: the log has {len(folds)} folds, and no mean after them; print "
            f"one, such as mean {self.notices.objective}: 0.5",
        )
        return []

    def _note_restart(self, report: Report) -> None:
        if report.epoch is None:
            return
        is_again = self.is_back and report.epoch == self._latest and report.number != self._number
        self.is_back, self._number = False, report.number
        if report.epoch < self._latest or is_again:
            self.notices.say(
                "restart",
                f"the epochs of the log begin again, and the last {self.notices.objective} of each epoch counts; print "
                "one training alone",
            )
        self._latest = max(self._latest, report.epoch)
