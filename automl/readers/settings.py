"""The value of a metric among the settings that a log begins with: ``lr: 0.1``, ``val_acc: 0.0``, ``batch: 3``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.readers.blocks import without_stamp
from automl.readers.log_report import Choice, without_times
from automl.readers.names import key_of

if TYPE_CHECKING:
    from automl.readers.log_report import Report

_DIGITS = re.compile(r"\d+")
_PAIR = re.compile(r"([^:=]{1,60})[:=]\s{0,9}[^:=]{1,80}$")


@dataclass(slots=True)
class Settings(Choice):
    """Leaves the first report out where lines with one name and its value stand around it, but not around the second.

    Attributes:
        is_over: The second report was seen, or the first stands among no settings.
        has_news: Lines between the first two reports say anything else than the one before.
    """

    is_over: bool = False
    has_news: bool = False
    _first: Report | None = None
    # The names on the line before the first report, behind it, and on the last line.
    _before: str = ""
    _behind: str | None = None
    _last: str = ""
    _line: str = ""

    def note(self, line: str) -> None:
        """Take over a line without a report."""
        self.has_news |= self._first is not None and line != self._line
        name = _name_on(line)
        self._last, self._line = name if key_of(name) != key_of(self.notices.objective) else "", line
        if self._first is not None and self._behind is None:
            self._behind = self._last

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        if self.is_over:
            return [report]
        if self._first is None and report.epoch is None and self._last and _name_on(report.line):
            self._first, self._before = report, self._last
            return []
        first = self.end()
        if first and self._behind and report.epoch is None and self._before != self._last:
            self.notices.say(
                "setting",
                f"the first {self.notices.objective} of the log ({first[0].number:g}) stands among settings and does "
                "not count; give it another name there",
            )
            return [report]
        return [*first, report]

    def end(self) -> list[Report]:
        """Return the first report, if there was no second one."""
        first, self._first, self.is_over = self._first, None, True
        return [] if first is None else [first]


def _name_on(line: str) -> str:
    """Return the name on a line with nothing but one name and its value; nothing of any other line."""
    pair = _PAIR.match(without_times(without_stamp(line)))
    return _DIGITS.sub("", pair[1]).strip().lower() if pair is not None else ""
