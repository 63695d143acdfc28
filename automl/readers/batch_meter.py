"""Lines of a meter over the batches of an epoch: `Test: [ 9/10]  Acc@1: 40.0 ( 60.2)`.

They name the number of the last batch and, in parentheses, the mean over all batches so far, as PyTorch's example of
ImageNet, timm and DETR print them. The mean is the metric, once it is over all batches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.readers.log_report import Report

# Bounded, so that a line of digits takes no longer than another.
_NUMBER = r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:e[-+]?\d{1,3})?|nan|inf"
_GAP = r"\s{0,9}"
_PAIR = re.compile(rf"(?<=[\s:=])(?:{_NUMBER})%?{_GAP}\({_GAP}(?P<mean>(?:{_NUMBER})%?){_GAP}\)", re.IGNORECASE)
_EPOCH = re.compile(r"\bepoch\b[\s:=#]{0,3}\[?\s*\d+(?:\s*/\s*\d+)?", re.IGNORECASE)
_COUNTER = re.compile(r"\[\s*(\d{1,9})\s*/\s*(\d{1,9})\s*[\](]")  # no date: "[2026/11/30 10:00:00]"
_AVERAGED = re.compile(r"\baveraged\b", re.IGNORECASE)


def read_meter(line: str) -> tuple[str, tuple[int, int] | None]:
    """Return a meter's line with means alone, and the batches done and all batches; other lines as they are, and None.

    Of a line of averages, all batches are done. One pair of numbers beside the number of an epoch may be anything, such
    as a value and the best one.
    """
    counter = _COUNTER.search(_EPOCH.sub("", line))
    if counter is None and not _AVERAGED.search(line):
        return line, None
    means, count = _PAIR.subn(r"\g<mean>", line)
    if not count:
        return line, None
    return means, (int(counter[1]), int(counter[2])) if counter is not None else (1, 1)


@dataclass(slots=True)
class BatchMeter:
    """Keeps the mean over some batches until the one over all is known, or until it is known that it never comes."""

    is_nearly_over: bool = False
    """Whether only the last batch may be to come: some count from 0, and end here."""
    _done: int = 0
    _waiting: Report | None = None

    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""
        if report.batches is None:
            return [report]
        done, of = report.batches
        ready = self.end() if done <= self._done else []
        if done >= of:
            self._done, self._waiting, self.is_nearly_over = 0, None, False
            return [*ready, report]
        self._done, self._waiting, self.is_nearly_over = done, report, done == of - 1
        return ready

    def end(self) -> list[Report]:
        """Return the mean that nothing followed: a meter may not print its last batch."""
        waiting, self._waiting, self.is_nearly_over = self._waiting, None, False
        return [] if waiting is None else [waiting]
