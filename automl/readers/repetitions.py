"""Which equal numbers of a log are new reports, and which repeat one.

Progress bars repeat the value of the epoch before, so an equal value counts for a later epoch only once that epoch is
over and has brought no other one. Where the log names no epoch, it counts on a line like the one before that says
anything else anew, or behind other news: processes of one training may print the same lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.log_report import NUMBERS, without_times
from automl.readers.progress import is_bar, is_unfinished
from automl.readers.status_file import measured, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.readers.log_report import Report
    from automl.readers.notices import Notices
    from automl.study.trial import Measurement

Numbers = dict[str, float | str]
_UNFINISHED_BAR = re.compile(r"\b\d{1,2}%\||\bepoch\b[\s\d:/]{1,20}\b\d{1,2}%", re.IGNORECASE)
_PROCESS = re.compile(r"\b(?:rank|process|worker)\W{0,2}\d", re.IGNORECASE)
_MOST_LINES = 100


@dataclass(slots=True)
class Repetitions:
    """Makes measurements of numbers, each number of an epoch once.

    Attributes:
        notices: Where to say that an equal line may be of another epoch.
    """

    notices: Notices
    # The epoch and number that each name had last, and equal numbers of the current epoch.
    _last: dict[str, tuple[int | None, float | str]] = field(default_factory=dict)
    _repeated: Numbers = field(default_factory=dict)
    # Where no epoch is named: the last report, whether there were other news since, and the lines behind it and
    # behind the one before.
    _report: Report | None = None
    _has_news: bool = False
    _lines: set[str] = field(default_factory=set)
    _lines_before: set[str] = field(default_factory=set)

    def note(self, line: str, epoch: int | None) -> None:
        """Take over a line without a report: numbers that were not there before are news."""
        if epoch is not None or self._has_news:
            return
        text, report = without_times(line), self._report
        numbers = NUMBERS.findall(text)
        if not numbers or is_bar(line) or _PROCESS.search(line) is not None:
            return
        if report is not None and text not in self._lines_before:
            self._has_news = any(number_of(number) != report.number for number in numbers)
        if len(self._lines) >= _MOST_LINES:
            self._lines.clear()
        self._lines.add(text)

    def note_text(self, line: str, epoch: int | None) -> None:
        """Take over a line without a sign between a name and a number: it is news alone, and repeats none."""
        if self._report is not None:
            self.note(line, epoch)

    def note_left_out(self) -> None:
        """Take over that a report does not count."""
        self._has_news = True

    def reported(self, report: Report, beside: Numbers, epoch: int | None, *, is_row: bool) -> list[Measurement]:
        """Return what counts of a report, which may be a row of a table, and of the numbers beside it."""
        numbers = {**beside, self.notices.objective: report.number}
        if report.epoch is None and self._is_anew(report, numbers, is_row=is_row):
            self._last.clear()
        if report.epoch == epoch:
            return self.measured(numbers, report.line, epoch)
        return [self.measurement(numbers, report.epoch)]

    def _is_anew(self, report: Report, numbers: Mapping[str, float | str], *, is_row: bool) -> bool:
        """Tell whether a line with numbers of before reports those of another epoch."""
        before, self._report = self._report, report
        has_news, self._has_news = self._has_news, False
        self._lines_before, self._lines = self._lines or self._lines_before, set()
        is_known = any(self._last.get(name, (None, None))[1] == number for name, number in numbers.items())
        if before is None or not is_known or report.is_bar or _PROCESS.search(report.line):
            return False
        line, line_before = without_times(report.line), without_times(before.line)
        if line == line_before and not has_news:
            if not is_row:
                self.notices.say(
                    "equal lines",
                    f"equal lines of the log with {self.notices.objective}, one behind the other, count once: several "
                    "processes may print them; name the epoch on the line, or print it in one process",
                )
            return False
        return NUMBERS.sub("", line) == NUMBERS.sub("", line_before) or report.is_state_beside(before)

    def measured(self, numbers: Numbers, line: str, epoch: int | None) -> list[Measurement]:
        """Return the numbers of a line that are no repetitions, for the epoch that was named last."""
        fresh = {}
        for name, number in numbers.items():
            last_epoch, last = self._last.get(name, (None, None))
            if last != number:
                fresh[name] = number
            elif last_epoch != epoch and not _is_partial(line):
                self._repeated[name] = number
        return [self.measurement(fresh, epoch)] if fresh else []

    def end(self, epoch: int | None) -> list[Measurement]:
        """Return the numbers of an epoch that equal those of the one before, once it is over."""
        repeated, self._repeated = self._repeated, {}
        return [self.measurement(repeated, epoch)] if repeated else []

    def measurement(self, numbers: Mapping[str, float | str], epoch: int | None) -> Measurement:
        """Return numbers of an epoch as a measurement."""
        for name, number in numbers.items():
            self._last[name] = (epoch, number)
            self._repeated.pop(name, None)
        return measured(numbers, epoch)


def _is_partial(line: str) -> bool:
    """Whether a line is a bar that has not come to its end, and repeats values of the epoch before."""
    return _UNFINISHED_BAR.search(line) is not None or (is_bar(line) and is_unfinished(line))
