"""Read metrics from the log of a trainer that writes no status file.

A metric counts where its name, or an alias of it, is a whole word followed by ``=`` or ``:`` and a number, for the
epoch that the log named last; of ``'epoch': 2.0``, which Transformers prints, that is the second one.

Progress bars repeat the value of the epoch before, so an equal value counts for a later epoch only once that epoch is
over and has brought no other one. Where the log names no epoch, it counts on a line like the one before that says
anything else anew, or behind other news: processes of one training may print the same line.

A ``loss`` without a split may be any loss: it counts where it is not finite.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl import clock
from automl.readers.batch_meter import BatchMeter, read_meter
from automl.readers.filtered_loss import GRADIENT, hidden_losses
from automl.readers.growing_file import GrowingFile
from automl.readers.names import aliases, find_name
from automl.readers.status_file import by_finiteness, number_of
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?:nan|inf(?:inity)?)(?:\.0)?)"
# Numbers are searched first, then the names before them: names have many spellings, and most lines have none.
_WRAPPED = r"(?:tensor|array|(?:np|numpy)\.float\d\d)\("
_VALUE = re.compile(rf"[\"']?\s*[=:]\s*[\"']?(?:{_WRAPPED})?({_NUMBER})(\w*(?:[.,:/]\d\w*)*)", re.IGNORECASE)
_ARROW = re.compile(r"\s*(?:->|→)")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+\.\d+")
_PARTS = re.compile(r"(\d{1,18})/(\d{1,18})")
_EPOCH = re.compile(r"\bepoch\b\"?[\s:=#\[(]{0,3}(\d{1,6})(?:\s*/\s*(\d{1,6}))?", re.IGNORECASE)
_OTHER_EPOCH = re.compile(
    r"\b(?:best|load(?:ed|ing)|restored|pretrained|namespace|args|config)\b"
    r"|\b(?:per|since|max|maximum|total|num|prev|previous|last|old|next|until|till|at|every|from|after|before|checkpoint)"
    r"[\s_]$",
    re.IGNORECASE,
)
"""Before it, the number is of another epoch, or of none: ``Best metric: 60.2 (epoch 0)``, ``steps per epoch: 9``."""
_ENDED = re.compile(r"\b(?:end of|finished|completed)\s$", re.IGNORECASE)
_HAS_ENDED = re.compile(r"\W{0,4}(?:done|finished|complete|completed|ended|took|time)\b", re.IGNORECASE)
"""Around an epoch: it is that of the lines before, whose values are counted where nothing else names their epochs."""
_SPLIT_BEFORE = re.compile(r"\b(?:(train|training)|val|valid|validation|eval|dev|test)\b", re.IGNORECASE)
_OTHER_MOMENT = re.compile(
    r"\b(?:best|record|last|running|initial)"
    r"(?:[\s:(=|,-]{1,3}(?:so far|epoch|model|result|score|value))?[\s:(=|-]{0,3}$"
)
"""Before a name: its value is one of the past, or of another kind."""
# Transformers writes a Python dict: how many epochs are done, with their fraction.
_EPOCHS_DONE = re.compile(r"(?:'epoch'\s*:\s*'?(?=\d)|\"epoch\"\s*:\s*(?=\d{1,6}\.))(\d{1,6}(?:\.\d{1,12})?)")
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_UNFINISHED_BAR = re.compile(r"\b\d{1,2}%\||\bepoch\b[\s\d:/]{1,20}\b\d{1,2}%", re.IGNORECASE)
_BAR = re.compile(r"%\||\r|\b(?:rank|process|worker)\W{0,2}\d", re.IGNORECASE)
"""What repeats a report: a bar, or one of several processes."""
_TRAINING = re.compile(
    r"[\"']?\b(?:split|phase|stage|subset)[\"']?\s*[:=]\s*[\"']?train|(?:^|[^\w\s]\s*|\d\s+)train(?:ing)?\b(?=[\s:\])|>-])",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"(?:\b|_)(?:train|val|valid|eval|dev|test|training|validation)(?:\b|_)", re.IGNORECASE)
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[ T]?|\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?")
_NUMBERS = re.compile(_NUMBER, re.IGNORECASE)
_FAILURE = re.compile(r"\bexecution status\W+fail", re.IGNORECASE)
_SEPARATORS = re.compile(r"[_/]")
_ANY_LOSS = "loss"
_ANY_OBJECTIVE = "kpi"
"""What some trainers print in place of the name of their metric."""
# After one of these words a name is another metric: "best val_acc" is of an older epoch, "Validation loss" is no loss.
_OTHER_METRIC = tuple(
    f"{word} "
    for word in (
        *(
            "best",
            "validation",
            "valid",
            "val",
            "dev",
            "eval",
            "test",
            "training",
            "train",
            "previous",
            "prev",
            "old",
            "target",
            "ema",
        ),
        *("min", "max", "lowest", "highest", "minimum", "maximum"),
    )
)
_PART_OF_A_NAME = frozenset("/.-_")
_MOST_BYTES_BEHIND = 16 * 1024 * 1024
_LONGEST_LINE = 10_000
_LONGEST_NAME = 120
_MOST_HELD_BACK = 10_000
BY_LOG = "execution_status"
"""The code of a failure that only a line of the log reports: anything else says more about it."""


def metrics_in(line: str, names: tuple[str, ...]) -> dict[str, float | str]:
    """Return metric name -> last number on the line after that name or its most trusted alias; see `number_of`."""
    ranks: dict[str, int] = {}
    found: dict[str, float | str] = {}
    of_training: set[str] = set()
    for name, rank, text, is_training in _named_texts(line, names):
        number = _number(text)
        if number is None or rank > ranks.get(name, rank):
            continue
        # "val: acc 0.7 | train: acc 0.9": that of training counts only where it is the only one.
        if is_training and name in found and name not in of_training and isinstance(number, float):
            continue
        found[name], ranks[name] = number, rank
        (of_training.add if is_training else of_training.discard)(name)
    return found


def _named_texts(line: str, names: tuple[str, ...]) -> Iterator[tuple[str, int, str, bool]]:
    """Yield name, rank of its spelling, what stands behind it and begins as a number, and whether it is of training."""
    every, spellings = _spellings(names)
    small = line.lower()
    if not any(spelling in small for spelling in every):
        return
    for match in _VALUE.finditer(line):
        head = line[max(0, match.start() - _LONGEST_NAME) : match.start()].lower()
        if head.endswith(every):
            for spelling, name, rank in spellings:
                if _ends_with_name(head, spelling):
                    arrow = "->" if _ARROW.match(line, match.end()) else ""
                    splits = [] if _SPLIT.search(name) else _SPLIT_BEFORE.findall(head)
                    yield name, rank, match[1] + match[2] + arrow, bool(splits and splits[-1])


def _number(text: str) -> float | str | None:
    """Return a number as `number_of` does; None for what has another unit, or may be one of two numbers.

    ``9912/10000`` is a share. ``1,234.5`` has thousands; ``1,234`` may have them or a decimal comma.
    """
    if (parts := _PARTS.fullmatch(text)) is not None and 0 < int(parts[2]) >= int(parts[1]):
        return int(parts[1]) / int(parts[2])
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
    return number_of(plain.lower().removesuffix(".0"))


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
    """

    path: Path
    objective: str
    watched: tuple[str, ...]
    has_status: Callable[[], bool]
    has_objective: Callable[[], bool]
    first_epoch: int | None = None
    _file: GrowingFile = field(init=False)
    _epoch: int | None = None
    _first_epoch: int | None = None
    # The epoch and number that each name had last, and equal numbers of the current epoch.
    _last: dict[str, tuple[int | None, float | str]] = field(default_factory=dict)
    _repeated: dict[str, float | str] = field(default_factory=dict)
    # A first value that stands behind "train", with its epoch; whether the log has values that do not; and whether it
    # has both, then those are of training, which is open before the second value.
    _training: tuple[int | None, float | str] | None = None
    _has_other: bool = False
    _is_split: bool | None = None
    # The epoch, number and words of the last line with the objective.
    _worded: tuple[int, float | str, list[str]] | None = None
    _meter: BatchMeter = field(default_factory=BatchMeter)
    # Where no epoch is named: the last line with the objective without times, and whether there were other news since.
    _report: str = ""
    _has_news: bool = False
    _held_back: list[Measurement] = field(default_factory=list)
    _has_refused: bool = False

    def __post_init__(self) -> None:
        self._file = GrowingFile(self.path, self.path.parent, furthest_behind_bytes=_MOST_BYTES_BEHIND)

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
        found = [measurement for line in lines for measurement in self._parse(line)]
        if is_over:
            found += [*self._repetitions(), *([] if self._has_other else self._of_training())]
            found += self._of_meter(self._meter.end())
        if not self.has_status():
            return found
        self._held_back += [m for m in found if find_name({**m.values, **m.nonfinite}, self.objective) is not None]
        del self._held_back[:-_MOST_HELD_BACK]
        lost = [{name: word for name, word in m.nonfinite.items() if name in self.watched} for m in found]
        kept = [replace(m, values={}, nonfinite=words) for m, words in zip(found, lost, strict=True)]
        return [m for m in kept if m.nonfinite or m.is_failure]

    def _parse(self, line: str) -> list[Measurement]:
        line, batches = read_meter(_COLOURS.sub("", line[-_LONGEST_LINE:]))
        ready = self._note_epoch(line)
        if _FAILURE.search(line):
            failure = Measurement(epoch=self._epoch, message=line.strip(), is_failure=True, failure_code=BY_LOG)
            ready.append(replace(failure, unix_time_s=clock.unix_time_s()))
        elif "=" in line or ":" in line:
            ready += self._refused(line)
            found = self._numbers_of(line)
            ready += self._without_training(line, found)
            ready += self._other_wording(line, found)
            if batches is not None:
                ready += self._over_all_batches(found, batches)
            elif self._meter.is_nearly_over:
                ready += self._of_meter(self._meter.end())
            if self._epoch is None and self._is_anew(line, found):
                self._last.clear()
            ready += self._measured(found, is_partial=_UNFINISHED_BAR.search(line) is not None)
        return ready

    def _refused(self, line: str) -> list[Measurement]:
        """Return a notice of the first objective that is written as no number is."""
        if self._has_refused:
            return []
        texts = (text for _, _, text, _ in _named_texts(line, (self.objective,)) if text[0].isdigit())
        refused = next((text for text in texts if _number(text) is None), None)
        if refused is None:
            return []
        self._has_refused = True
        notice = (
            f"{self.objective} was not read from the log where it is written {refused.strip()}: print a plain number"
        )
        return [Measurement(epoch=self._epoch, notice=notice, unix_time_s=clock.unix_time_s())]

    def _numbers_of(self, line: str) -> dict[str, float | str]:
        names = (*self.watched, self.objective)
        found = metrics_in(line, (*names, _ANY_LOSS, GRADIENT))
        found |= hidden_losses(found)
        if GRADIENT not in names:
            found.pop(GRADIENT, None)
        if _ANY_LOSS not in names and not isinstance(found.get(_ANY_LOSS, ""), str):
            del found[_ANY_LOSS]
        if self.objective not in self._last and self.objective not in found:
            numbers = metrics_in(line, (_ANY_OBJECTIVE,))
            found |= {self.objective: numbers[_ANY_OBJECTIVE]} if numbers else {}
        return found

    def _without_training(self, line: str, found: dict[str, float | str]) -> list[Measurement]:
        """Leave a value of the objective in training out of what was found, if the log has one beside it.

        ``train loss: 1 acc: 0.9`` and ``val loss: 1 acc: 0.8`` would both be read as ``acc``. The first value behind
        "train" waits for the next one: it is returned where that one stands behind "train", too.
        """
        if self.objective not in found or self._is_split is False or _SPLIT.search(self.objective):
            return []
        if isinstance(found[self.objective], str):  # not finite: it counts at once, of whatever it is
            return []
        if _TRAINING.search(line) is None:
            self._is_split = True if self._training is not None else self._is_split
            self._training, self._has_other = None, True
            return []
        if self._is_split is None and self._training is not None:
            self._is_split = False
            return self._of_training()
        value = found.pop(self.objective)
        self._has_news |= self._is_split is True
        if self._is_split is None:
            self._training, self._report = (self._epoch, value), _CLOCK.sub("", line)
        return []

    def _other_wording(self, line: str, found: dict[str, float | str]) -> list[Measurement]:
        """Return a notice where two lines of one epoch, in other words, have the objective: perhaps of other data."""
        number = found.get(self.objective)
        if self._epoch is None or number is None or _BAR.search(line) or _UNFINISHED_BAR.search(line):
            return []
        before, words = self._worded, _NUMBERS.sub("", _CLOCK.sub("", line)).split()
        self._worded = (self._epoch, number, words)
        if before is None or before[0] != self._epoch or before[1] == number or before[2] == words:
            return []
        notice = (
            f"{self.objective} stands in lines of the log with other words for one epoch, and the last of them counts; "
            "give it another name in the others"
        )
        return [Measurement(epoch=self._epoch, notice=notice, unix_time_s=clock.unix_time_s())]

    def _over_all_batches(self, found: dict[str, float | str], batches: tuple[int, int]) -> list[Measurement]:
        """Leave a mean over some batches out of what was found; return what counts instead."""
        mean = found.get(self.objective, "")
        if isinstance(mean, str):
            return []
        del found[self.objective]
        return self._of_meter(self._meter.take(mean, self._epoch, batches))

    def _of_meter(self, means: Sequence[tuple[int | None, float]]) -> list[Measurement]:
        return [replace(self._measurement({self.objective: mean}), epoch=epoch) for epoch, mean in means]

    def _of_training(self) -> list[Measurement]:
        waiting, self._training = self._training, None
        if waiting is None:
            return []
        return [replace(self._measurement({self.objective: waiting[1]}), epoch=waiting[0])]

    def _is_anew(self, line: str, found: dict[str, float | str]) -> bool:
        """Tell whether a line reports the objective of another epoch, whatever its value is."""
        if self.objective not in found:
            self._has_news |= any(self._last.get(name, (None, None))[1] != number for name, number in found.items())
            return False
        before, self._report = self._report, _CLOCK.sub("", line)
        is_alike = _NUMBERS.sub("", before) == _NUMBERS.sub("", self._report)
        is_anew = is_alike and (before != self._report or self._has_news) and not _BAR.search(line)
        self._has_news = False
        return is_anew

    def _measured(self, found: dict[str, float | str], *, is_partial: bool) -> list[Measurement]:
        fresh = {}
        for name, number in found.items():
            epoch, last = self._last.get(name, (None, None))
            if last != number:
                fresh[name] = number
            elif epoch != self._epoch and not is_partial:
                self._repeated[name] = number
        return [self._measurement(fresh)] if fresh else []

    def _repetitions(self) -> list[Measurement]:
        """Return the numbers of the current epoch that equal those of the one before."""
        repeated, self._repeated = self._repeated, {}
        return [self._measurement(repeated)] if repeated else []

    def _measurement(self, numbers: dict[str, float | str]) -> Measurement:
        for name, number in numbers.items():
            self._last[name] = (self._epoch, number)
            self._repeated.pop(name, None)
        values, nonfinite = by_finiteness(numbers)
        return Measurement(epoch=self._epoch, values=values, nonfinite=nonfinite, unix_time_s=clock.unix_time_s())

    def _note_epoch(self, line: str) -> list[Measurement]:
        """Take over the epoch that a line names; return what the one before repeats."""
        epoch = self._epoch_in(line)
        if epoch is None or epoch == self._epoch:
            return []
        ready = self._repetitions()
        self._epoch = epoch
        return ready

    def _epoch_in(self, line: str) -> int | None:
        if (done := _EPOCHS_DONE.search(line)) is not None:
            return max(math.ceil(float(done[1])) - 1, 0)
        match = _EPOCH.search(line)
        if match is None or _OTHER_EPOCH.search(line[: match.start()]) is not None:
            return None
        is_over = _ENDED.search(line[: match.start()]) is not None or _HAS_ENDED.match(line, match.end()) is not None
        if is_over and not metrics_in(line, (self.objective,)):
            return None
        number = int(match[1])
        if self.first_epoch is not None:
            return max(number - self.first_epoch, 0)
        if self._first_epoch is None:
            self._first_epoch = number
        # "Epoch 1/10" as the first one counts from 1; "Epoch 0:" and a resumed "Epoch 5:" count from 0.
        return number - 1 if self._first_epoch == 1 and number > 0 else number


@functools.cache
def _spellings(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str, int], ...]]:
    """Return every spelling in lower case, and (spelling, name, rank) of each; rank 0 is the most trusted."""
    known = [(alias.lower(), name, rank) for name in names for rank, alias in enumerate(aliases(name))]
    # A person prints "Val Acc: 0.9" for val_acc.
    spaced = [(_SEPARATORS.sub(" ", spelling), name, rank) for spelling, name, rank in known]
    ranked = tuple(dict.fromkeys([*known, *spaced]))
    return tuple(spelling for spelling, _, _ in ranked), ranked


def _ends_with_name(head: str, spelling: str) -> bool:
    before = head.removesuffix(spelling)
    is_longer_name = before[-1:].isalnum() or before[-1:] in _PART_OF_A_NAME
    if before == head or is_longer_name or before.endswith(_OTHER_METRIC):
        return False
    return _OTHER_MOMENT.search(before[-40:]) is None
