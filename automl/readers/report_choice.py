"""Which reports of the objective in a log count: the one stage that decides it, and says what is doubtful.

A report goes through the choices below in this order; each leaves it out, lets it go on, or keeps it until it knows
more:

| choice | leaves out |
|---|---|
| `Settings` | the value among the settings that a log begins with: ``lr: 0.1``, ``val_acc: 0.0``, ``batch: 3`` |
| `Folds` | the values of single folds where their mean follows, and of further folds where none does |
| `SplitChoice` | values of training, of a test or of the past where there are those of validation |
| `Progress` | values of meters and bars before the last batch |
| `Wordings` | values in other words than those that count: of other data, of a summary |
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.blocks import without_stamp
from automl.readers.log_report import Choice, without_times
from automl.readers.names import key_of
from automl.readers.progress import Progress
from automl.readers.splits import Split, has_split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from automl.readers.log_report import Report
    from automl.readers.notices import Notices

_DIGITS = re.compile(r"\d+")
_PAIR = re.compile(r"([^:=]{1,60})[:=]\s{0,9}[^:=]{1,80}$")
_FOLD = re.compile(r"\bfold\b[\s:=#\[(]{0,3}(\d{1,3})(?:\s?(?:/|of)\s?(\d{1,3}))?", re.IGNORECASE)
_MEAN = re.compile(r"\b(?:mean|average|avg|overall|across|cv)\b", re.IGNORECASE)
_MOST_HELD = 10_000
_COUNTER = re.compile(r"(?<![\w.,])\d{1,9}(?![\w.,])")
_MOST_WAITING = 100
_FEW = 2
_LAST_COUNTS = "and the last of them counts"


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


@dataclass(slots=True)
class SplitChoice(Choice):
    """Lets the reports of the most trusted kind count.

    Of a less trusted one the first waits for the next report: a log may have no other.
    """

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


@dataclass(slots=True)
class Wordings(Choice):
    """Leaves reports out that are in other words than those that count.

    Where the log names epochs, the last value of an epoch counts, but a line that does not name it adds nothing where
    lines in the same words were alone so far. Where it names none, a report in other words waits for the next: between
    two reports in the words of before it is of other data, as in ``kitti abs_rel: 0.1``, ``nyu abs_rel: 0.2``.
    """

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

    def shift(self) -> None:
        """Take over that each epoch so far is one less."""
        if (last := self._last) is not None and last.epoch is not None:
            self._last = last._replace(epoch=last.epoch - 1)

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
        if any(map(report.begins_like, self._others)):
            self._say_left_out()
            return []
        self._waiting.append(report)
        if len(self._waiting) < _MOST_WAITING and not any(map(report.begins_like, self._waiting[:-1])):
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


@dataclass(slots=True)
class ReportChoice:
    """All choices, one after the other.

    Attributes:
        notices: Where to say what is doubtful.
        settings: The first choice, which has to know the lines without a report.
        folds: The choice that has to know what fold a line names.
        meter: The choice of meters, whose last value counts when they end.
        wordings: The choice that has to know that the epochs so far are one less.
    """

    notices: Notices
    settings: Settings = field(init=False)
    folds: Folds = field(init=False)
    meter: Progress = field(default_factory=lambda: Progress(is_meter=True))
    wordings: Wordings = field(init=False)
    _choices: tuple[Choice | Progress, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.settings, self.folds = Settings(self.notices), Folds(self.notices)
        bars = Progress(is_meter=False, is_at_once=has_split(self.notices.objective))
        splits, self.wordings = SplitChoice(self.notices), Wordings(self.notices)
        self._choices = self.settings, self.folds, splits, self.meter, bars, self.wordings

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        return self._through([report], self._choices)

    def end_meter(self) -> list[Report]:
        """Return what counts of a meter that has ended."""
        return self._ended(self.meter)

    def end(self) -> list[Report]:
        """Return what counts at the end of the log."""
        return [report for choice in self._choices for report in self._ended(choice)]

    def _ended(self, choice: Choice | Progress) -> list[Report]:
        return self._through(choice.end(), self._choices[self._choices.index(choice) + 1 :])

    def _through(self, reports: list[Report], choices: Iterable[Choice | Progress]) -> list[Report]:
        for choice in choices:
            if len(reports) == 1:  # most often
                reports = choice.take(reports[0])
            else:
                reports = [kept for report in reports for kept in choice.take(report)]
        return reports
