"""Progress bars in a log: how far one is, and which of its values count where the log names no epoch.

A bar may be over the epochs, and each of its values is of another one, or over the batches of each epoch: then it
begins again, and the last value of each is the metric.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.readers.log_report import Report

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
class BarValues:
    """Keeps the values of a bar until it is known whether the bar begins again.

    Attributes:
        is_at_once: Values count as they come: the metric is none that is averaged over batches.
    """

    is_at_once: bool
    _done: int = 0
    _begins_again: bool = False
    _waiting: list[Report] = field(default_factory=list)

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        if not report.is_bar or report.epoch is not None or self.is_at_once:
            return [report]
        counter = _counter(report.line)
        if counter is None or _EPOCH.search(report.line) is not None:
            return [report]
        ready = []
        if counter[0] < self._done:
            ready, self._waiting, self._begins_again = self._waiting[-1:], [], True
        self._done = counter[0]
        self._waiting = [report] if self._begins_again else [*self._waiting[-_MOST_VALUES:], report]
        return ready

    def end(self) -> list[Report]:
        """Return what was kept."""
        waiting, self._waiting = self._waiting, []
        return waiting
