"""A value of the objective on a line of a log, before it is known whether it counts, and what is said of others."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from automl.readers.splits import Split
from automl.readers.written_number import NUMBER

if TYPE_CHECKING:
    from automl.readers.notices import Notices

_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[ T]?|\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?")
NUMBERS = re.compile(NUMBER, re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:class|client|dataset|data ?set|domain|head|level|member|rank|process|worker|gpu|scale|scene|set|task|top|val"
    r"|test)(?:[\s:=#_-]|(?=\d))\d{1,6}\b|(?<=[a-z])\d{1,6}(?=[a-z])",
    re.IGNORECASE,
)
"""A number that is a name, and no counter."""
_WITHOUT_DIGITS = dict.fromkeys(map(ord, "0123456789."))
_AS_LETTERS = str.maketrans("0123456789", "abcdefghij")
_LETTERS = re.compile(r"[^\W\d_]+")
_STATE = re.compile(
    r"new|best|better|worse|improve[ds]?|improvement|not?|did|from|to|unchanged|change|same|save|saved|saving|model|checkpoint"
    r"|weights|result|up|down|higher|lower|(?:in|de)creased"
)
"""Words of a line that say how good a value is, or what follows from that: of another epoch they are others."""
_UNITS = re.compile(r"\b(?:eta|ms|s|secs?|seconds|mins?|minutes|h|hours?|days?)\b", re.IGNORECASE)


class Report(NamedTuple):
    """A finite value of the objective; a tuple, because a log of millions of lines may have as many.

    Attributes:
        epoch: The epoch that the log named last.
        number: The value.
        line: The line.
        start: Position on it behind the name.
        split: Of what the value is.
        names_epoch: Whether the line itself names the epoch.
        is_bar: Whether it repeats a report: a bar, or one of several processes.
        batches: The batches done and all batches, of a meter over them.
    """

    epoch: int | None
    number: float
    line: str
    start: int
    split: Split = Split.UNNAMED
    names_epoch: bool = False
    is_bar: bool = False
    batches: tuple[int, int] | None = None

    @property
    def words_before(self) -> list[str]:
        """The words before the value, without units of time, marks, and words for how good it is."""
        return [word for word in _named_in(self.line[: self.start]) if _STATE.fullmatch(word) is None]

    @property
    def has_state(self) -> bool:
        """Whether words before the value say how good it is."""
        return has_state(self.line[: self.start])

    def is_state_beside(self, other: Report) -> bool:
        """Whether two lines say how good their values are, and have no other words that differ."""
        return self.has_state and other.has_state and self.words_before == other.words_before

    def is_like(self, other: Report) -> bool:
        """Whether a line has the same words, but for numbers that are no part of a name."""
        return _is_like(self.line, other.line) or words_of(self.line) == words_of(other.line)

    def begins_like(self, other: Report) -> bool:
        """Whether this is so of what stands before the values, but for units of time."""
        return _is_like(self.line[: self.start], other.line[: other.start]) or self.words_before == other.words_before


@dataclass(slots=True)
class Choice(ABC):
    """Decides which reports count, one after the other.

    Attributes:
        notices: Where to say that reports were left out and may be those that were meant.
    """

    notices: Notices

    @abstractmethod
    def take(self, report: Report) -> list[Report]:
        """Take a report over; return those that count now."""

    @abstractmethod
    def end(self) -> list[Report]:
        """Return what was kept and counts at the end of the log."""


def has_state(text: str) -> bool:
    """Whether words of a text say how good a value is."""
    return any(map(_STATE.fullmatch, _named_in(text)))


def _named_in(text: str) -> list[str]:
    named = words_of(_UNITS.sub("", without_times(text)))
    return [word for each in named for word in _LETTERS.findall(each.lower())]


def _is_like(line: str, other: str) -> bool:
    """Tell quickly of most lines whether they have the same words."""
    return line.translate(_WITHOUT_DIGITS) == other.translate(_WITHOUT_DIGITS) and _LABEL.search(line) is None


def without_times(line: str) -> str:
    """Return a line without dates and times."""
    return _CLOCK.sub("", line)


def words_of(line: str) -> list[str]:
    """Return the words of a line, without numbers that are no part of a name."""
    named = _LABEL.sub(lambda match: match[0].translate(_AS_LETTERS), line)
    return NUMBERS.sub("", without_times(named)).split()
