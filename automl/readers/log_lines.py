"""Read metrics from the log of a trainer that writes no status file.

A metric counts where its name, or an alias of it, is a whole word followed by ``=`` or ``:`` and a number. Logs repeat
values, so each counts once, for the epoch that the log named last.
"""

from __future__ import annotations

import functools
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.readers.growing_file import GrowingFile
from automl.readers.names import aliases, find_name
from automl.readers.status_file import by_finiteness, number_of
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?:nan|inf(?:inity)?)(?:\.0)?)"
# Numbers are searched first, then the names before them: names have many spellings, and most lines have none.
_VALUE = re.compile(rf"[\"']?\s*[=:]\s*[\"']?(?:tensor\()?({_NUMBER})(?!\w)", re.IGNORECASE)
_EPOCH = re.compile(r"\bepoch\b[\s:=#\[(]{0,3}(\d{1,6})(?:\s*/\s*(\d{1,6}))?", re.IGNORECASE)
# After one of these words a name is another metric: "best val_acc" is of an older epoch, "Validation loss" is no loss.
_OTHER_METRIC = ("best ", "validation ", "val ", "eval ", "test ", "training ", "train ")
_PART_OF_A_NAME = frozenset("/.-_")
_MOST_BYTES_BEHIND = 16 * 1024 * 1024
_LONGEST_LINE = 10_000
_LONGEST_NAME = 120
_MOST_HELD_BACK = 10_000


def metrics_in(line: str, names: tuple[str, ...]) -> dict[str, float | str]:
    """Return metric name -> last number on the line after that name or its most trusted alias; see `number_of`."""
    every, spellings = _spellings(names)
    ranks: dict[str, int] = {}
    found: dict[str, float | str] = {}
    for match in _VALUE.finditer(line):
        head = line[max(0, match.start() - _LONGEST_NAME) : match.start()].lower()
        if not head.endswith(every):
            continue
        number = number_of(match[1].lower().removesuffix(".0"))
        for spelling, name, rank in spellings:
            if number is not None and rank <= ranks.get(name, rank) and _ends_with_name(head, spelling):
                found[name], ranks[name] = number, rank
    return found


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
    _last: dict[str, float | str] = field(default_factory=dict)
    _held_back: list[Measurement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._file = GrowingFile(self.path, self.path.parent, furthest_behind_bytes=_MOST_BYTES_BEHIND)

    def read(self) -> list[Measurement]:
        """Return what is new and counts at once."""
        return self._counting(self._file.read())

    def finish(self) -> list[Measurement]:
        """Return what is left, and what was held back where nothing else reported the objective."""
        found = self._counting(list(self._file.finish()))
        if not self.has_objective():
            found = [*self._held_back, *found]
        self._held_back = []
        return found

    def _counting(self, lines: list[str]) -> list[Measurement]:
        found = [measurement for line in lines if (measurement := self._parse(line)) is not None]
        if not self.has_status():
            return found
        self._held_back += [m for m in found if find_name({**m.values, **m.nonfinite}, self.objective) is not None]
        del self._held_back[:-_MOST_HELD_BACK]
        losses = [{name: word for name, word in m.nonfinite.items() if name in self.watched} for m in found]
        return [replace(m, values={}, nonfinite=lost) for m, lost in zip(found, losses, strict=True) if lost]

    def _parse(self, line: str) -> Measurement | None:
        line = line[-_LONGEST_LINE:]
        self._note_epoch(line)
        if "=" not in line and ":" not in line:
            return None
        found = metrics_in(line, (*self.watched, self.objective))
        fresh = {name: number for name, number in found.items() if self._last.get(name) != number}
        if not fresh:
            return None
        self._last.update(fresh)
        values, nonfinite = by_finiteness(fresh)
        return Measurement(epoch=self._epoch, values=values, nonfinite=nonfinite, unix_time_s=time.time())

    def _note_epoch(self, line: str) -> None:
        if (match := _EPOCH.search(line)) is None:
            return
        number = int(match[1])
        if self.first_epoch is not None:
            self._epoch = max(number - self.first_epoch, 0)
            return
        if self._first_epoch is None:
            self._first_epoch = number
        # "Epoch 1/10" as the first one counts from 1; "Epoch 0:" and a resumed "Epoch 5:" count from 0.
        self._epoch = number - 1 if self._first_epoch == 1 and number > 0 else number


@functools.cache
def _spellings(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str, int], ...]]:
    """Return every spelling in lower case, and (spelling, name, rank) of each; rank 0 is the most trusted."""
    ranked = [(alias.lower(), name, rank) for name in names for rank, alias in enumerate(aliases(name))]
    return tuple(spelling for spelling, _, _ in ranked), tuple(ranked)


def _ends_with_name(head: str, spelling: str) -> bool:
    before = head.removesuffix(spelling)
    is_longer_name = before[-1:].isalnum() or before[-1:] in _PART_OF_A_NAME
    return before != head and not is_longer_name and not before.endswith(_OTHER_METRIC)
