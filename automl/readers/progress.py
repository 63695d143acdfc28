"""Lines that repeat a value while batches are done: meters over them, and progress bars.

A meter names the last number and, in parentheses, the mean over all batches so far, as PyTorch's example of ImageNet,
timm and DETR print them: ``Test: [ 9/10]  Acc@1: 40.0 ( 60.2)``. The mean is the metric, once it is over all batches.
A bar may be over the epochs, and each of its values is of another one, or over the batches of each epoch: then it
begins again, and the last value of each is the metric.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.readers.log_report import Report

# Bounded, so that a line of digits takes no longer than another.
_NUMBER = r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:e[-+]?\d{1,3})?|nan|inf"
_GAP = r"\s{0,9}"
_PAIR = re.compile(rf"(?<=[\s:=])(?:{_NUMBER})%?{_GAP}\({_GAP}(?P<mean>(?:{_NUMBER})%?){_GAP}\)", re.IGNORECASE)
_NUMBERED_EPOCH = re.compile(r"\bepoch\b[\s:=#]{0,3}\[?\s*\d+(?:\s*/\s*\d+)?", re.IGNORECASE)
_COUNTER = re.compile(r"\[\s*(\d{1,9})\s*/\s*(\d{1,9})\s*[\](]")  # no date: "[2026/11/30 10:00:00]"
_AVERAGED = re.compile(r"\baveraged\b", re.IGNORECASE)
_DRAWN = ("%|", "━", "█", "▌")
_BAR = re.compile(
    r"\d/\d+\s?\[[=>.#\s-]{3,}[\]|]|\d\s?(?:it|batch|batches|step|steps|ex|img)?/s[,\]]|\ds/(?:it|batch|step|epoch)\b"
    r"|\d+it \["
)
_EPOCH = re.compile(r"epochs?/s|s/epoch|\bepochs?\b[\s\d:/]{0,20}", re.IGNORECASE)
_OF = re.compile(r"\b(\d{1,9})\s?/\s?(\d{1,9})\b")
_SHARE = re.compile(r"\b(\d{1,3})(?:\.\d+)?%")
_ALONE = re.compile(r"\b(\d{1,9})it\b")
_MOST_VALUES = 10_000


def read_meter(line: str) -> tuple[str, tuple[int, int] | None]:
    """Return a meter's line with means alone, and the batches done and all batches; other lines as they are, and None.

    Of a line of averages, all batches are done. One pair of numbers beside the number of an epoch may be anything, such
    as a value and the best one.
    """
    counter = _COUNTER.search(_NUMBERED_EPOCH.sub("", line))
    if counter is None and not _AVERAGED.search(line):
        return line, None
    means, count = _PAIR.subn(r"\g<mean>", line)
    if not count:
        return line, None
    return means, (int(counter[1]), int(counter[2])) if counter is not None else (1, 1)


def is_bar(line: str) -> bool:
    """Whether a line is one state of a progress bar; it begins with a return where it overwrites the one before."""
    if line[0] == "\r" or any(mark in line for mark in _DRAWN):
        return True
    return ("/" in line or "it [" in line) and _BAR.search(line) is not None


def is_unfinished(line: str) -> bool:
    """Whether a bar has not come to its end."""
    counter = _counter(line)
    return counter is not None and (counter[1] is None or counter[0] < counter[1])


def _counter(line: str) -> tuple[int, int | None] | None:
    """Return how much of a bar is done, and of how much; None for a total that it does not say."""
    rest = _EPOCH.sub(" ", line)
    for pattern in (_OF, _SHARE, _ALONE):
        if (found := pattern.search(rest)) is not None:
            return int(found[1]), 100 if pattern is _SHARE else int(found[2]) if pattern is _OF else None
    return None


@dataclass(slots=True)
class Progress:
    """Keeps values of meters, or of bars, until it is known which one counts.

    Attributes:
        is_meter: Of meters, whose last value counts in any case; of bars in logs without epochs, once they begin again.
        is_at_once: Values count as they come: the metric is none that is averaged over batches.
        is_nearly_over: Only the last batch may be to come: some count from 0, and end here.
    """

    is_meter: bool
    is_at_once: bool = False
    is_nearly_over: bool = False
    _done: int = 0
    _begins_again: bool = False
    _waiting: list[Report] = field(default_factory=list)

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        counter = report.batches if self.is_meter else self._of_bar(report)
        if counter is None:
            return [report]
        done, of = counter
        ready: list[Report] = []
        if done < self._done + self.is_meter:
            ready, self._waiting, self._begins_again = self._waiting[-1:], [], True
        if self.is_meter and done >= (of or 0):
            self._done, self._waiting, self.is_nearly_over = 0, [], False
            return [*ready, report]
        self._done, self.is_nearly_over = done, self.is_meter and done + 1 == of
        self._waiting = [report] if self.is_meter or self._begins_again else [*self._waiting[-_MOST_VALUES:], report]
        return ready

    def end(self) -> list[Report]:
        """Return what was kept: a meter may not print its last batch."""
        waiting, self._waiting, self.is_nearly_over = self._waiting, [], False
        return waiting

    def _of_bar(self, report: Report) -> tuple[int, int | None] | None:
        if not report.is_bar or report.epoch is not None or self.is_at_once or _EPOCH.search(report.line) is not None:
            return None
        return _counter(report.line)
