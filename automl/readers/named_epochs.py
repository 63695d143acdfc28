"""The epoch that the lines of a log name, and which numbers behind the word are none, or are of another epoch.

A log that begins at ``Epoch 1`` counts from 1. One that begins at ``Epoch [6/8]``, as of a resumed training, is taken
as counted from 0, until ``8/8`` proves that it is not.

Where rounds have epochs of their own, as of each client of a federated training, the round is the epoch: those begin
again in each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.epochs import WholeOrDone

if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match

    from automl.readers.notices import Notices

_EPOCH = re.compile(
    r"\bepoch\b\"?(?:\s(?:no|nr|number)\b\.?)?[\s:=#\[(]{0,3}"
    r"(\d{1,6}(?!\d)(?:\.\d{1,12})?)(?!\.?\d{0,40}\s?%)(?:\s*/\s*(\d{1,6}))?",
    re.IGNORECASE,
)
"""A number before ``%`` is how much of a bar is done, and one of over 6 digits a time."""
_OTHER = re.compile(
    r"\b(?:best|load(?:ed|ing)|restored|pretrained|namespace|args|config)\b"
    r"|\b(?:per|since|max|maximum|total|num|prev|previous|last|old|next|until|till|at|every|from|after|before|checkpoint"
    r"|avg|average)[\s_]$"
    r"|\b(?:s|sec|secs|seconds|ms|it|its|steps|samples|batches)/$"
    r"|\b(?:inner|local|sub|mini)[\s-]$",
    re.IGNORECASE,
)
"""Before it, the number is of another epoch, or of none: ``Best metric: 60.2 (epoch 0)``, ``steps per epoch: 9``."""
_EVALUATED = re.compile(
    r"\b(?:eval\w*|valid\w*|test\w*|results?|metrics?|scores?|performance)\s(?:after|at)\s$", re.IGNORECASE
)
"""It is the epoch of these lines in spite of ``after``."""
_PLANNED = re.compile(
    r"\b(?:drop|decay|milestone)s?\b\W{1,3}$|\bresum(?:e|ed|ing)\b[:\s][^()]{0,200}\($"
    r"|\b(?:will|off|stop\w*|drop\w*|decay\w*|reduce[ds]?|switch\w*|close[ds]?|(?:en|dis)able[ds]?|(?:un)?fr(?:eez|oz)\w*)\b"
    r".{0,100}\b(?:in|by|on)\s$",
    re.IGNORECASE,
)
"""The same where the line has no value: ``LR drop: epoch 3``, ``Mixup off in epoch 30``, ``Resumed a.pt (epoch 4)``."""
_VALUE = re.compile(r"[:=]\s{0,9}[-+]?\.?\d")
_NO_COUNT = re.compile(r"(?:\.\d+)?\s?(?:s|secs?|seconds|ms|mins?|minutes|h|hours|samples|images)\b", re.IGNORECASE)
"""Behind it: the number is a time, or an amount."""
_TRAINING = re.compile(r"\btrain(?:ing)?\s$", re.IGNORECASE)
_EVALUATION = re.compile(r"\b(?:eval(?:uation)?|val(?:id|idation)?)\s$", re.IGNORECASE)
_FIRST_OF_ALL = re.compile(r"\bstart[\s_]$", re.IGNORECASE)
_ENDED = re.compile(r"\b(?:end of|finished|completed)\s$|\bsav(?:ed|ing)\b", re.IGNORECASE)
_HAS_ENDED = re.compile(
    r"\W{0,4}(?:done|finished|complete|completed|ended|over|took|time|elapsed|duration|runtime)\b", re.IGNORECASE
)
"""Around an epoch: it is that of the lines before, whose values are counted where nothing else names their epochs."""
# Transformers writes a Python dict: how many epochs are done, with their fraction.
_EPOCHS_DONE = re.compile(r"(?:'epoch'\s*:\s*'?(?=\d)|\"epoch\"\s*:\s*(?=\d{1,6}\.))(\d{1,6}(?:\.\d{1,12})?)")
_ROUND = re.compile(
    r"(?<![\w-])(?:round|cycle|outer[\s_-](?:loop|iteration|iter|step))\b\"?[\s:=#\[]{0,3}(\d{1,6})(?![.\d])",
    re.IGNORECASE,
)
_NO_WORDS = re.compile(r"[\W\d_]+")
_MOST_WORDINGS = 100


@dataclass(slots=True)
class NamedEpoch:
    """The epoch that a log named last.

    Attributes:
        notices: Where to say what is to be said of the numbers.
        has_objective: Whether a line has the metric.
        first: Number of the trainer's first epoch; None where it has to be recognised.
        current: The zero-based epoch; None before the first.
        may_be_shifted: ``8/8`` may still prove that the epochs are counted from 1.
        is_shifted: It has: each epoch that was named so far is one less. Whoever looks sets it to false.
        is_used: The metric was reported since the epoch began.
        is_late: The metric was reported before the first epoch.
        is_by_rounds: The log has rounds with epochs inside, and the round is the epoch.
    """

    notices: Notices
    has_objective: Callable[[str], bool]
    first: int | None = None
    current: int | None = None
    may_be_shifted: bool = False
    is_shifted: bool = False
    is_used: bool = False
    is_late: bool = False
    is_by_rounds: bool = False
    # How lines number epochs; and how dicts, rounds, and objects of JSON below lines that name the epoch as well do.
    _numbers: WholeOrDone = field(init=False)
    _others: dict[str, WholeOrDone] = field(default_factory=dict)
    _has_own_objects: bool | None = None
    _written: str = ""
    # What ``Train Epoch:`` named last, and whether ``Eval Epoch:`` names one more, as OpenCLIP's does.
    _trained: float | None = None
    _is_one_more: bool | None = None
    _recognised: int | None = None
    _has_zero: bool = False
    # The round that was named last, and whether the first one came when epochs had been named.
    _round: int | None = None
    _is_round_late: bool = False
    # What stood before the number of an epoch.
    _wordings: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._numbers = WholeOrDone(self.first or 0, notices=self.notices)

    def note(self, line: str, small: str) -> bool:
        """Take over the epoch that a line names, which is given in lower case, too; return whether it names one."""
        has_round = ("round" in small or "cycle" in small or "outer" in small) and self._note_round(line)
        if self.is_by_rounds:
            self.current = self._round
            return has_round
        epoch = self._of(line) if "epoch" in small else None
        if epoch is None:
            return False
        if self._round is not None and (not self._is_round_late or (self.current is not None and epoch < self.current)):
            self.is_by_rounds, epoch = True, self._round
            if self._is_round_late:
                self.notices.say(
                    "rounds",
                    "the log has rounds whose epochs begin again, and names them behind their epochs: the round counts "
                    "as epoch, but for the first one; print the round before its epochs",
                )
        self.current = epoch
        return True

    def _note_round(self, line: str) -> bool:
        match = _ROUND.search(line)
        if match is None or not self._is_of_these_lines(line, match):
            return False
        if self._round is None:
            epoch = _EPOCH.search(line)
            if epoch is not None and epoch.start() < match.start():
                return False
            self._is_round_late = self.current is not None
        self._round = self._other("round", int(int(match[1]) == 1)).of(float(match[1]))
        return True

    def _of(self, line: str) -> int | None:
        if (match := _EPOCHS_DONE.search(line)) is not None:
            self._written, done = "", float(match[1])
            # Transformers names no epoch 0 but before training, where others begin.
            return self._other("dict", is_done=done > 0).of(done)
        match = _EPOCH.search(line)
        if match is None or not self._is_of_these_lines(line, match):
            return None
        before, of = line[: match.start()], int(match[2]) if match[2] else None
        number = self._as_trained(float(match[1]), before)
        written = match[1] if number == float(match[1]) else ""
        if written and written == self._written and not self.may_be_shifted:
            return self.current
        epoch = self._of_object(number) if before[-1:] == '"' else None
        epoch = self._zero_based(number, of) if epoch is None else epoch
        if epoch != self.current:
            wording = _NO_WORDS.sub(" ", before)
            is_earlier = self.current is not None and epoch < self.current
            if is_earlier and of is None and wording not in self._wordings and not self.has_objective(line):
                return None  # a remark: "saved (epoch 1 was worse)"
            if len(self._wordings) < _MOST_WORDINGS:
                self._wordings.add(wording)
        self._written = written
        return epoch

    def _as_trained(self, number: float, before: str) -> float:
        """Return a number as lines of training have it."""
        if _TRAINING.search(before) is not None:
            self._trained = number
        elif self._trained is not None and self.first is None and _EVALUATION.search(before) is not None:
            if self._is_one_more is None:
                self._is_one_more = number == self._trained + 1
            return number - self._is_one_more
        return number

    def _other(self, form: str, first: int = 0, *, is_done: bool = False) -> WholeOrDone:
        """Return the numbers of epochs in a form, which begin as they are first asked for unless the study says how."""
        if self.first is not None:
            first, is_done = self.first, False
        return self._others.setdefault(form, WholeOrDone(first, is_done, self.notices))

    def _of_object(self, number: float) -> int | None:
        """Return the epoch of an object of JSON, if lines above such objects name epochs in another way."""
        if self._has_own_objects is None:
            shift = -1.0 if self.current is None or self.is_used else number - self.current
            self._has_own_objects = shift in {0, 1} and self.first is None
            self._other("object", int(shift))
        return self._other("object").of(number) if self._has_own_objects else None

    def _zero_based(self, number: float, of: int | None) -> int:
        self._numbers.note(number)
        if self.first is None and not self._numbers.is_done:
            if self._recognised is None:
                self._recognised = int(number)
                self.may_be_shifted = of is not None and number > 1
            if self.may_be_shifted:
                step = int(number) - self._recognised
                # Evaluated every 5 epochs: 5/100 and 10/100 are counted from 1, 4/100 and 9/100 from 0.
                is_sparse = step > 1 and self.current == self._recognised
                self.is_shifted = number == of or (is_sparse and self._recognised % step == 0)
                is_from_0 = step < 0 or (is_sparse and (self._recognised + 1) % step == 0)
                self.may_be_shifted = not (self.is_shifted or is_from_0)
                self._recognised = 1 if self.is_shifted else self._recognised
            self._has_zero |= number == 0 and of is not None
            if number == 1 and of is not None and not self._has_zero:
                self._recognised = 1  # what came before was a setting: "epoch: 5"
            # "Epoch 1/10" as the first one counts from 1; "Epoch 0:" and a resumed "Epoch 5:" count from 0.
            self._numbers.first = int(self._recognised == 1)
        return self._numbers.of(number)

    def use(self) -> None:
        """Take over that the metric was reported."""
        self.is_late |= self.current is None
        self.is_used = True

    def end(self) -> None:
        """Say that values may have stood before their epochs, each on a line of its own."""
        if self.is_late and self.current is not None and not self.is_used:
            self.notices.say_several(
                "before",
                "before the first epoch of the log",
                "and not behind the last one",
                "each value counted for the epoch named before it: print the epoch first, or on the line of the value",
            )

    def is_free(self) -> bool:
        """Tell whether the epoch has its value already, or none was named."""
        return self.current is None or self.is_used

    def _is_of_these_lines(self, line: str, match: Match[str]) -> bool:
        """Whether a number behind the word is the epoch of this line and of those that follow."""
        before = line[: match.start()]
        other = _OTHER.search(before)
        is_other = other is not None and (other.end() < len(before) or _EVALUATED.search(before) is None)
        if is_other or _NO_COUNT.match(line, match.end()):
            return False
        if _PLANNED.search(before) is not None and match.re is _EPOCH and not self._has_value(line, match.end()):
            return False
        if _FIRST_OF_ALL.search(before) and (":" in match[0] or "=" in match[0]):
            return False
        is_over = _ENDED.search(before) is not None or _HAS_ENDED.match(line, match.end()) is not None
        return not is_over or self.has_objective(line)

    def _has_value(self, line: str, start: int) -> bool:
        return _VALUE.search(line, start) is not None or self.has_objective(line)
