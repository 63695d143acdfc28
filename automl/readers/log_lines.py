"""Read metrics from the log of a trainer that writes no status file.

1. `GrowingFile` gives whole lines; `Blocks` makes one line of a record on several, or puts its epoch first.
2. `ConsoleTable` makes ``epoch: 1, acc: 0.7`` of a row; `read_meter` leaves of ``40.0 (60.2)`` the mean.
   So all that follows sees lines with names and numbers, whatever the form was.
3. `NamedEpoch` knows the epoch, which may be a round, that the line or one before names.
4. `ObjectiveMentions` finds names, or aliases of them, as whole words before ``=`` or ``:`` and a number.
   A training loss counts at once, as does a number that is not finite. The objective is a `Report`.
5. `ReportChoice` decides which reports count: not those of settings, folds, training, meters, other words.
6. `Repetitions` makes measurements of what counts, an equal number once unless it is of another epoch.
7. Each part says what it leaves out, or reads of several, to `Notices`: each kind once.

A ``loss`` without a split may be any loss: it counts where it is not finite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl import clock
from automl.readers import blocks
from automl.readers.blocks import Blocks
from automl.readers.console_table import BEGINS, ConsoleTable
from automl.readers.growing_file import GrowingFile
from automl.readers.log_report import Report
from automl.readers.mentions import metrics_in
from automl.readers.named_epochs import NamedEpoch
from automl.readers.names import find_name
from automl.readers.notices import Notices
from automl.readers.objective_mentions import ObjectiveMentions
from automl.readers.progress import is_bar, read_meter
from automl.readers.repetitions import Repetitions
from automl.readers.report_choice import ReportChoice
from automl.readers.splits import LONGEST_HEADING, Split, heading_of, is_above_remark, is_remark
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.readers.mentions import Mention
    from automl.storage.held_log import HeldLog

_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_FAILURE = re.compile(r"\bexecution status\W+fail", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_AS_ASCII = str.maketrans("\uff1a\uff1d\uff0c\u2212", ":=,-")
"""Signs between a name and a number that have another form in texts of other languages, and the minus."""
_MOST_BYTES_BEHIND = 16 * 1024 * 1024
_LONGEST_LINE = 10_000
_MOST_HELD_BACK = 10_000
BY_LOG = "execution_status"
"""The code of a failure that only a line of the log reports: anything else says more about it."""


@dataclass(slots=True)
class LogReader:
    """Reads metrics from a growing log: a source of last resort, beside the status files that say everything better.

    While a trial runs, the log counts only as long as there is no status file. A training loss that is not finite
    counts at once in any case: progress bars know it an epoch earlier. What was held back is used at the end if the
    status files never report the objective.

    Attributes:
        path: The log.
        objective: Name of the objective.
        watched: Training losses whose non-finite values count at once.
        has_status: Returns whether a status file exists.
        has_objective: Returns whether the objective was measured, by whatever source.
        first_epoch: Number of the trainer's first epoch; None where it has to be recognised.
        held: The log itself, open: it is read whatever has its name.
        beside: The same, where not the log is read but a file of the trainer that has its name.
    """

    path: Path
    objective: str
    watched: tuple[str, ...]
    has_status: Callable[[], bool]
    has_objective: Callable[[], bool]
    first_epoch: int | None = None
    held: HeldLog | None = None
    beside: HeldLog | None = None
    _file: GrowingFile = field(init=False)
    _epoch: NamedEpoch = field(init=False)
    _blocks: Blocks = field(init=False)
    _table: ConsoleTable = field(init=False)
    _notices: Notices = field(init=False)
    _mentions: ObjectiveMentions = field(init=False)
    _repetitions: Repetitions = field(init=False)
    _choice: ReportChoice = field(init=False)
    _is_best_next: bool = False
    _held_back: list[Measurement] = field(default_factory=list)
    # What was measured while ``8/8`` may still prove that the epochs are counted from 1.
    _shiftable: dict[int | None, dict[str, float]] = field(default_factory=dict)
    # Of each epoch what waits then: it would stay there unless the next epoch has another number to replace it.
    _unshifted: dict[int, Measurement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._file = GrowingFile(
            self.path,
            self.path.parent,
            furthest_behind_bytes=_MOST_BYTES_BEHIND,
            keeps_layout=True,
            held=self.held,
            beside=self.beside,
        )
        notices = self._notices = Notices(self.objective)
        self._epoch = NamedEpoch(notices, self._may_have_objective, self.first_epoch)
        self._blocks = Blocks(notices, self._may_have_objective, self._epoch.is_free)
        self._choice = ReportChoice(notices)
        self._mentions = ObjectiveMentions(self.watched, notices)
        self._repetitions = Repetitions(notices)
        self._table = ConsoleTable(self._mentions.names, self.watched, notices)

    @property
    def names_objective(self) -> bool:
        """Whether a line has named the objective."""
        return self._mentions.is_named

    def read(self) -> list[Measurement]:
        """Return what is new and counts at once."""
        return self._counting(self._file.read())

    def finish(self) -> list[Measurement]:
        """Return what is left, and what was held back where nothing else reported the objective."""
        found = self._counting(list(self._file.finish()), is_over=True)
        if not self.has_objective():
            found = [*self._held_back, *found]
        self._held_back = []
        return found

    def _counting(self, lines: list[str], *, is_over: bool = False) -> list[Measurement]:
        found = [
            measurement
            for line in lines
            for each in self._records(line[-_LONGEST_LINE:])
            for measurement in self._parse(each)
        ]
        if is_over:
            found += [measurement for line in self._blocks.end() for measurement in self._parse(line)]
            found += self._as_counted()
            found += self._repetitions.end(self._epoch.current)
            found += [measurement for report in self._choice.end() for measurement in self._counted(report, {})]
            self._epoch.end()
            self._table.end(has_objective=self._mentions.is_named)
        self._notices.say_all(self._file.losses)
        now_s = clock.unix_time_s()
        found += [replace(said, epoch=self._epoch.current, unix_time_s=now_s) for said in self._notices.take()]
        if not self.has_status():
            return found
        self._held_back += [m for m in found if find_name({**m.values, **m.nonfinite}, self.objective) is not None]
        del self._held_back[:-_MOST_HELD_BACK]
        lost = [{name: word for name, word in m.nonfinite.items() if name in self.watched} for m in found]
        kept = [replace(m, values={}, nonfinite=words) for m, words in zip(found, lost, strict=True)]
        return [m for m in kept if m.nonfinite or m.is_failure]

    def _records(self, line: str) -> list[str]:
        """Return the records that are complete now: most lines are one."""
        if not line.isascii():
            line = line.translate(_AS_ASCII)
        is_of_several = self._blocks.is_open or line[:1] in blocks.BEGINS or line[-1] in blocks.ENDS
        found = self._blocks.take(line) if is_of_several else [line]
        if "{" in line and line.count("epoch") > 1:
            return [part for each in found for part in self._blocks.objects(each)]
        return found

    def _parse(self, line: str) -> list[Measurement]:
        if "\x1b" in line:
            line = _COLOURS.sub("", line)
        small = line.lower()
        table, is_head = self._table, "epoch" in small and not _DIGIT.search(line)
        if table.is_begun or table.word in small or line[:1] in BEGINS or is_head:
            line = table.take(line, small)
            small = line.lower()
        # Most lines of a log have no parenthesis, and are no meter.
        line, batches = read_meter(line) if "(" in line else (line, None)
        names_epoch, ready = self._note_epoch(line, small)
        self._note_context(line, small, names_epoch=names_epoch)
        if "execution status" in small and _FAILURE.search(line):
            failure = Measurement(epoch=self._epoch.current, message=line.strip(), is_failure=True, failure_code=BY_LOG)
            ready.append(replace(failure, unix_time_s=clock.unix_time_s()))
        elif "=" in line or ":" in line:
            ready += self._metrics(line, batches, names_epoch=names_epoch)
        else:
            self._repetitions.note_text(line, self._epoch.current)
        if self._epoch.may_be_shifted:
            return [counting for found in ready for counting in self._replaceable(found)]
        return [*self._as_counted(), *ready] if self._unshifted else ready

    def _replaceable(self, found: Measurement) -> list[Measurement]:
        """Return what counts of the epoch before now that a further one is known, or at once if it never waits."""
        self._shiftable.setdefault(found.epoch, {}).update(found.values)
        if found.epoch is None or found.nonfinite or found.is_failure:
            return [found]
        waiting = self._unshifted.get(found.epoch)
        self._unshifted[found.epoch] = (
            found if waiting is None else replace(found, values={**waiting.values, **found.values})
        )
        before = self._unshifted.pop(found.epoch - 1, None)
        if before is None:
            return []
        values = {name: value for name, value in before.values.items() if name in self._shiftable[found.epoch]}
        others = {name: value for name, value in before.values.items() if name not in values}
        if others:
            self._unshifted[found.epoch - 1] = replace(before, values=others)
        return [replace(before, values=values)] if values else []

    def _as_counted(self) -> list[Measurement]:
        """Return what waits where the epochs were taken as they are counted."""
        waiting, self._unshifted, self._epoch.may_be_shifted = self._unshifted, {}, False
        return list(waiting.values())

    def _note_context(self, line: str, small: str, *, names_epoch: bool) -> None:
        """Take over the fold that a line names, and of what the lines below a heading are."""
        if "fold" in small:
            self._choice.folds.note(line)
        if names_epoch and line != self._blocks.moved:
            self._mentions.heading = Split.UNNAMED
        elif len(line) <= LONGEST_HEADING and (heading := heading_of(line)) is not Split.UNNAMED:
            self._mentions.heading = heading

    def _metrics(self, line: str, batches: tuple[int, int] | None, *, names_epoch: bool) -> list[Measurement]:
        ended = self._choice.end_meter() if batches is None and self._choice.meter.is_nearly_over else []
        ready = [found for report in ended for found in self._counted(report, {})]
        numbers, mention = self._mentions.of(line)
        if mention is not None or self.objective in numbers:
            self._epoch.use()
        if mention is not None:
            ready += self._reported(self._report_of(line, mention, batches, names_epoch=names_epoch), numbers)
        else:
            if not self._choice.settings.is_over:
                self._choice.settings.note(line)
            self._repetitions.note(line, self._epoch.current)
            ready += self._repetitions.measured(numbers, line, self._epoch.current)
        self._is_best_next = is_above_remark(line) or (self._is_best_next and mention is None)
        return ready

    def _note_epoch(self, line: str, small: str) -> tuple[bool, list[Measurement]]:
        """Take over the epoch that a line names; return whether it does, and what the one before repeats."""
        before = self._epoch.current
        if not self._epoch.note(line, small):
            return False, []
        is_next = self._epoch.current != before or self._epoch.is_shifted
        self._epoch.is_used &= not is_next
        ready = self._repetitions.end(before) if is_next else []
        if before is not None and not self._epoch.is_by_rounds:
            self._choice.folds.is_back |= (self._epoch.current or 0) < before
        if self._epoch.is_shifted:
            self._epoch.is_shifted, self._unshifted = False, {}
            self._choice.wordings.shift()
            ready = [replace(found, epoch=found.epoch - 1) for found in ready if found.epoch is not None]
            earlier = {epoch - 1: values for epoch, values in self._shiftable.items() if epoch is not None}
            ready = [*(self._repetitions.measurement(values, epoch) for epoch, values in earlier.items()), *ready]
        return True, ready

    def _may_have_objective(self, text: str) -> bool:
        return bool(metrics_in(text, self._mentions.names))

    def _report_of(self, line: str, mention: Mention, batches: tuple[int, int] | None, *, names_epoch: bool) -> Report:
        report = Report(
            epoch=self._epoch.current,
            number=float(mention.number or 0.0),
            line=line,
            start=mention.start,
            split=self._mentions.split_of(line, mention),
            names_epoch=names_epoch,
            is_bar=is_bar(line),
            batches=batches,
        )
        if names_epoch or report.is_bar or batches is not None:
            return report
        is_of_other = self._is_best_next or is_remark(line, mention.start)
        return report._replace(split=Split.REMARK) if is_of_other else report

    def _reported(self, report: Report, beside: dict[str, float | str]) -> list[Measurement]:
        """Return what counts now that a report is known, and the numbers beside it."""
        was_open, reports = not self._choice.settings.is_over, self._choice.take(report)
        ready = [found for each in reports if each is not report for found in self._counted(each, {})]
        if ready and was_open and self._choice.settings.has_news:
            self._repetitions.note_left_out()
        if any(each is report for each in reports):
            return [*ready, *self._counted(report, beside)]
        self._repetitions.note_left_out()
        return [*ready, *self._repetitions.measured(beside, report.line, self._epoch.current)]

    def _counted(self, report: Report, beside: dict[str, float | str]) -> list[Measurement]:
        return self._repetitions.reported(report, beside, self._epoch.current, is_row=self._table.is_begun)
