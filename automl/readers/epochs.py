"""Assign reported metrics to their epoch, and drop repetitions.

Many trainers write three lines an epoch: the validation metrics without an epoch, a progress line with the epoch that
repeats the metrics of the line before, and the training loss, again without an epoch. Later lines repeat the metrics
once more. So metrics without an epoch are held until the next line names it (or for `HOLD_S` seconds, for trainers that
never do), training metrics belong to the epoch named last, and repetitions are dropped. A value that is not finite is
never held: it is returned at once, with the epoch that follows from the lines before.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.names import key_of
from automl.readers.notices import Notices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.study.trial import Measurement

HOLD_S = 1.0

_FRESH = re.compile(r"metrics? generated", re.IGNORECASE)
_REPEATING = re.compile(r"loop in progress", re.IGNORECASE)
_OF_TRAINING = re.compile(r"^train|[_(]train(?:ing)?\)?$")
_RESUMED = re.compile(r"resum\w*\b.*?epoch[_=](\d+)", re.IGNORECASE)


@dataclass(slots=True)
class WholeOrDone:
    """Numbers of epochs of one source: as they are counted, until a fraction shows that they say how many are done.

    Attributes:
        first: Number of the first epoch where they are counted.
        is_done: They say how many epochs are done: 1.5 is within the second one, and 1.0 the end of the first.
        notices: Where to say that whole numbers were taken as counted ones before the first fraction came.
        where: Name of the source.
    """

    first: int = 0
    is_done: bool = False
    notices: Notices = field(default_factory=Notices)
    where: str = "the log"
    _was_whole: bool = False

    def note(self, number: float) -> None:
        """Take over whether a number is a fraction, before those that were written with it have their epochs."""
        if self.is_done or number.is_integer():
            return
        self.is_done = True
        if self._was_whole:
            self.notices.say(
                "fraction",
                f"epochs in {self.where} are whole numbers first, which counted as they are, and then fractions of "
                "epochs done; write one kind of them",
            )

    def of(self, number: float) -> int:
        """Return the zero-based epoch of a number."""
        self.note(number)
        if self.is_done:
            return max(math.ceil(number) - 1, 0)
        self._was_whole |= number > self.first
        return max(int(number) - self.first, 0)


@dataclass(slots=True)
class EpochBook:
    """The epochs of one status file.

    Attributes:
        epoch: The epoch named or derived last; None before the first.
        numbers: How lines number their epochs.
    """

    epoch: int | None = None
    numbers: WholeOrDone = field(default_factory=WholeOrDone)
    _last: tuple[Mapping[str, float], Mapping[str, str]] = field(default_factory=lambda: ({}, {}))
    _last_epoch: int | None = None
    _held: Measurement | None = None
    _held_since_s: float = 0.0
    # Training metrics of the current epoch: the same name again, without an epoch, belongs to the next one.
    _given: set[str] = field(default_factory=set)

    def add(self, line: Measurement, now_s: float) -> list[Measurement]:
        """Add one line as parsed, at a monotonic time; return the measurements whose epoch is known now, in order."""
        if (resumed := _RESUMED.search(line.message)) and self.epoch is None:
            self.epoch = max(int(resumed[1]) - self.numbers.first, 0)
        is_fresh = self._is_fresh(line)
        if line.values or line.nonfinite:
            self._last = (line.values, line.nonfinite)
        if line.epoch is not None:
            return self._with_epoch(line, is_fresh=is_fresh)
        if not is_fresh:
            return [replace(line, epoch=self.epoch, values={}, nonfinite={})]
        if _is_training(line) and (self.epoch is not None or self._held is not None):
            return [*self.release(), self._following(line)]
        return self._hold(line, now_s)

    def release(self, *, held_before_s: float | None = None) -> list[Measurement]:
        """Return held metrics with the epoch after the last one; or only those held since before a monotonic time."""
        if self._held is None or (held_before_s is not None and self._held_since_s > held_before_s):
            return []
        self._begin_next()
        self._last_epoch = self.epoch
        held, self._held = replace(self._held, epoch=self.epoch), None
        return [held]

    def _begin_next(self) -> None:
        self.epoch = 0 if self.epoch is None else self.epoch + 1
        self._given = set()

    def _is_fresh(self, line: Measurement) -> bool:
        if not line.values and not line.nonfinite:
            return False
        if (line.values, line.nonfinite) != self._last or _FRESH.search(line.message):
            return True
        if _REPEATING.search(line.message) or self._held is not None:
            return False
        return line.epoch is not None and line.epoch != self._last_epoch

    def _with_epoch(self, line: Measurement, *, is_fresh: bool) -> list[Measurement]:
        if line.epoch != self.epoch:
            self._given = set()
        self.epoch = line.epoch
        if is_fresh:
            self._last_epoch = line.epoch
            self._given |= set(line.values)
        else:
            line = replace(line, values={}, nonfinite={})
        held, self._held = self._held, None
        if held is None:
            return [line]
        self._last_epoch = line.epoch
        return [_joined(held, line)]

    def _following(self, line: Measurement) -> Measurement:
        if self._given & set(line.values):
            self._begin_next()
        self._given |= set(line.values)
        self._last_epoch = self.epoch
        return replace(line, epoch=self.epoch)

    def _hold(self, line: Measurement, now_s: float) -> list[Measurement]:
        ready: list[Measurement] = []
        if self._held is not None:
            if set(self._held.values) & set(line.values):
                ready = self.release()
            else:
                line = _joined(self._held, line)
        self._held, self._held_since_s = line, now_s
        return ready + (self.release() if line.nonfinite else [])


def counted_from_one(measurement: Measurement) -> Measurement:
    """Return a measurement whose epochs are counted from 1 as one whose epochs are counted from 0."""
    return measurement if measurement.epoch is None else replace(measurement, epoch=max(measurement.epoch - 1, 0))


def _joined(held: Measurement, line: Measurement) -> Measurement:
    values, nonfinite = {**held.values, **line.values}, {**held.nonfinite, **line.nonfinite}
    return replace(line, values=values, nonfinite=nonfinite, notice=held.notice or line.notice)


def _is_training(line: Measurement) -> bool:
    names = [key_of(name) for name in (*line.values, *line.nonfinite)]
    return bool(names) and all(_OF_TRAINING.search(name) is not None for name in names)
