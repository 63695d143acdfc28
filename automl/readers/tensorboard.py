"""Read the metrics that a trainer writes to TensorBoard's event files, wherever below a trial they lie.

| written by | its epochs |
|---|---|
| Lightning's TensorBoardLogger | the tag ``epoch`` of the same step, counted from 0 |
| Transformers' Trainer | the tag ``train/epoch`` of the same step: how many are done, with their fraction |
| others with such a tag | the same tag, counted from 0: they have tags that Transformers has not |
| everything else | from the steps of the objective: epochs where they rise by 1, else counted |

A step of ``everything else`` says nothing before there is a second one, unless it is 0 or 1. In a folder ``train`` or
``validation``, as Keras makes them, and in those of ``add_scalars`` the folder is part of a metric's name. Where
several folders have the objective, as of folds or of data sets, that of one counts. What is written of hyperparameters
is left out.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from automl import clock
from automl.readers.epochs import HOLD_S
from automl.readers.event_file import EventFile
from automl.readers.filtered_loss import hidden_losses
from automl.readers.folder_choice import FolderChoice
from automl.readers.folder_search import FolderSearch
from automl.readers.names import find_name, key_of
from automl.readers.splits import SHORT
from automl.readers.status_file import NAMELESS, by_finiteness, number_of, with_names
from automl.storage.paths import TENSORBOARD
from automl.study.finite import is_finite
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from automl.readers.event_file import Scalars

OURS = ".automl"
"""How the names of our own event files end, which lie beside those of the trainer."""
_MOST_HELD_BACK = 10_000
_HYPERPARAMETERS = re.compile(r"hp_metric$|_hparams_/|hparam/")
_OF_KERAS = "epoch_"
_COUNTED = "epoch"
_DONE = "train/epoch"
_OF_TRANSFORMERS = re.compile(r"(?:train|eval|test)/")


@dataclass(slots=True)
class EpochsOfSteps:
    """Which epoch a step of the objective is, where no tag says it.

    Attributes:
        first_epoch: Number of the trainer's first epoch; None where the study does not say.
    """

    first_epoch: int | None = None
    _steps: dict[int, int] = field(default_factory=dict)
    """Step -> how many were before it."""

    def add(self, step: int) -> None:
        """Take a step of the objective over."""
        self._steps.setdefault(step, len(self._steps))

    def of(self, step: int) -> int | None:
        """Return the zero-based epoch of a step; None while that is not known."""
        if step not in self._steps:
            return None
        first, second = [*islice(self._steps, 2), None][:2]
        if first is None or second is None:
            return 0 if first in {0, 1} else None
        stride = second - first
        if stride == 1:
            number = self.first_epoch if self.first_epoch is not None else int(first == 1)
            return max(step - number, 0)
        # The last step of an epoch is a multiple of its length, or the one before, also where a training continues.
        for last in (step, step + 1):
            if stride > 1 and first > 0 and last % stride == 0:
                return last // stride - 1
        return self._steps[step]

    @property
    def is_settled(self) -> bool:
        """Whether steps have epochs by now."""
        return len(self._steps) > 1 or next(iter(self._steps), None) in {0, 1}


@dataclass(slots=True)
class _Run:
    """One event file: its records, what stands at the current step, and what waits for its epoch."""

    file: EventFile
    rename: Callable[[str], str]
    step: int = 0
    epoch: int | None = None
    has_tag: bool = False
    # What ``train/epoch`` says, and whether Transformers has not written it.
    done: float | None = None
    is_own: bool = False
    has_fraction: bool = False
    pending: dict[str, float] = field(default_factory=dict)
    pending_since_s: float = 0.0
    waiting: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    @property
    def epoch_of_tag(self) -> int | None:
        """The zero-based epoch that the tag says last."""
        if self.done is None or (self.is_own and not self.has_fraction):
            return self.epoch
        return max(math.ceil(self.done) - 1, 0)


@dataclass(slots=True)
class TensorboardReader:
    """Reads every event file of a trainer below a trial's directory while it grows.

    Attributes:
        directory: The trial directory.
        objective: Name of the objective.
        pattern: Of the files, relative to the directory, where the study names them; None for all.
        has_status: Returns whether another file of metrics exists: then these wait for the end.
        has_objective: Returns whether the objective was measured, by whatever source.
        first_epoch: Number of the trainer's first epoch; None where it has to be recognised.
    """

    directory: Path
    objective: str
    has_status: Callable[[], bool]
    has_objective: Callable[[], bool]
    first_epoch: int | None = None
    pattern: str | None = None
    _steps: EpochsOfSteps = field(init=False)
    _folders: FolderChoice = field(init=False)
    _runs: dict[Path, _Run] = field(default_factory=dict)
    _held_back: list[Measurement] = field(default_factory=list)
    _search: FolderSearch = field(init=False)

    def __post_init__(self) -> None:
        self._steps = EpochsOfSteps(self.first_epoch)
        self._folders = FolderChoice(self.directory, self.objective)
        self._search = FolderSearch(self.directory, self._is_named, pattern=self.pattern)

    @property
    def has_files(self) -> bool:
        """Whether an event file was found."""
        return bool(self._runs)

    def read(self) -> list[Measurement]:
        """Return what is new in the files."""
        self._add()
        found = self._collected(lambda file: file.read(), held_before_s=time.monotonic() - HOLD_S)
        found += self._folders.said()
        if not self.has_status():
            return found
        self._held_back += found
        del self._held_back[:-_MOST_HELD_BACK]
        return []

    def finish(self) -> list[Measurement]:
        """Return what is left, and what was held back where nothing else reported the objective."""
        self._add(is_last=True)
        found = [*self._held_back, *self._collected(lambda file: file.finish(), held_before_s=math.inf)]
        self._held_back = []
        found += [*self._folders.said(), *self._damages()]
        return [] if self.has_status() and self.has_objective() else found

    def _is_named(self, name: str) -> bool:
        return (self.pattern is not None or name.startswith(TENSORBOARD)) and not name.endswith(OURS)

    def _damages(self) -> Iterator[Measurement]:
        for path, run in self._runs.items():
            if run.file.damaged_at is not None:
                name = path.relative_to(self.directory)
                yield Measurement(notice=f"{name} is damaged at byte {run.file.damaged_at}: the rest was not read")

    def _collected(self, read: Callable[[EventFile], Iterable[Scalars]], *, held_before_s: float) -> list[Measurement]:
        """Return what is new in every file; what stands at its last step only if it was there at a monotonic time."""
        runs = tuple(self._runs.values())
        latest = {run.file.path.parent: run for run in runs}
        found = list[Measurement]()
        for run in runs:
            events = list(read(run.file))
            # A resumed training goes on in another file: what stands at the last step of this one comes before it.
            is_over = latest[run.file.path.parent] is not run and not (events and run.has_tag)
            found += self._events(run, events, math.inf if is_over else held_before_s)
        if self._steps.is_settled or held_before_s == math.inf:
            found += [measurement for run in runs for measurement in self._settled(run)]
        return found

    def _events(self, run: _Run, events: Iterable[Scalars], held_before_s: float) -> Iterator[Measurement]:
        for event in events:
            if event.step != run.step:
                yield from self._flushed(run)
                run.step = event.step
            for tag, number in event.values.items():
                yield from self._taken(run, tag, number)
        if held_before_s == math.inf or (not run.has_tag and run.pending_since_s <= held_before_s):
            yield from self._flushed(run)

    def _taken(self, run: _Run, tag: str, number: float) -> Iterator[Measurement]:
        if key_of(tag) == _COUNTED or tag == _DONE:
            if math.isfinite(number):
                run.has_tag, run.done = True, number if tag == _DONE else None
                run.epoch = max(int(number) - (self.first_epoch or 0), 0)
                # Transformers writes a loss of training only when some of it is done.
                run.has_fraction |= tag == _DONE and not number.is_integer()
                run.is_own |= tag == _DONE and number == 0 and any(name.startswith("train") for name in run.pending)
            yield from self._flushed(run)
        elif not _HYPERPARAMETERS.match(tag):
            run.is_own |= _OF_TRANSFORMERS.match(tag) is None
            run.pending_since_s = run.pending_since_s if run.pending else time.monotonic()
            run.pending[run.rename(tag)] = number

    def _flushed(self, run: _Run) -> Iterator[Measurement]:
        """Yield what stands at the current step, or let it wait for its epoch."""
        values, run.pending = run.pending, {}
        if not values:
            return
        name = find_name(values, self.objective)
        if name is not None and not self._folders.counts(run.file.path):
            del values[name]
            name = None
        if run.has_tag:
            yield _measurement(values, run.epoch_of_tag, run.step)
            return
        if name is not None:
            self._steps.add(run.step)
        lost = {name: number for name, number in values.items() if not is_finite(number)}
        if lost:
            yield _measurement(lost, self._steps.of(run.step), run.step)
        run.waiting.append((run.step, {name: number for name, number in values.items() if name not in lost}))
        del run.waiting[:-_MOST_HELD_BACK]

    def _settled(self, run: _Run) -> Iterator[Measurement]:
        """Yield what has waited for its epoch, which is known by now or never."""
        waiting, run.waiting = run.waiting, []
        return (_measurement(values, self._steps.of(step), step) for step, values in waiting if values)

    def _add(self, *, is_last: bool = False) -> None:
        for path in self._search.new_files(is_last=is_last):
            if not path.is_symlink():
                self._runs[path] = _Run(EventFile(path, self.directory), _naming(path.parent.name))
                self._folders.add(path)


def _naming(folder: str) -> Callable[[str], str]:
    """Return how metrics of the event files of a folder are called."""
    split = SHORT.get(folder.lower(), "")

    def name_of(tag: str) -> str:
        plain = tag.removeprefix(_OF_KERAS) if split else tag
        if split and key_of(plain).partition("_")[0] not in SHORT:
            return plain if split == "train" and plain != tag else f"{split}_{plain}"
        main = tag.replace("/", "_")
        return f"{tag}/{folder.removeprefix(f'{main}_')}" if folder.startswith(f"{main}_") else tag

    return name_of


def _measurement(numbers: dict[str, float], epoch: int | None, step: int) -> Measurement:
    found = {name: number_of(number) for name, number in numbers.items()}
    values, nonfinite = by_finiteness(found | hidden_losses(found))
    return Measurement(
        epoch=epoch,
        step=step,
        values=with_names(values),
        nonfinite=with_names(nonfinite),
        notice="" if all(map(str.strip, numbers)) else NAMELESS,
        unix_time_s=clock.unix_time_s(),
    )
