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
from typing import TYPE_CHECKING

from automl.readers.epochs import HOLD_S, WholeOrDone
from automl.readers.epochs_of_steps import EpochsOfSteps
from automl.readers.event_file import EventFile
from automl.readers.filtered_loss import hidden_losses
from automl.readers.folder_search import FolderSearch
from automl.readers.label_choice import FolderChoice
from automl.readers.names import find_name, key_of
from automl.readers.notices import Notices
from automl.readers.splits import SHORT
from automl.readers.status_file import measured, number_of
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
class _Run:
    """One event file: its records, what stands at the current step, and what waits for its epoch."""

    file: EventFile
    rename: Callable[[str], str]
    numbers: WholeOrDone
    step: int = 0
    # The largest step of all, and how many values of the objective came at step 0, where a step is left out.
    furthest: int = 0
    reports: int = 0
    # The tag for the epoch, whether Transformers has not written it, and the epoch of the objective before.
    has_tag: bool = False
    is_own: bool = False
    epoch: int = 0
    last_epoch: int = 0
    pending: dict[str, float] = field(default_factory=dict)
    pending_since_s: float = 0.0
    waiting: list[tuple[int, dict[str, float]]] = field(default_factory=list)


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
        max_epochs: Epochs of a full run, where known.
    """

    directory: Path
    objective: str
    has_status: Callable[[], bool]
    has_objective: Callable[[], bool]
    first_epoch: int | None = None
    max_epochs: int | None = None
    pattern: str | None = None
    _notices: Notices = field(init=False)
    _steps: EpochsOfSteps = field(init=False)
    _folders: FolderChoice = field(init=False)
    _runs: dict[Path, _Run] = field(default_factory=dict)
    _held_back: list[Measurement] = field(default_factory=list)
    _search: FolderSearch = field(init=False)
    # The value of the objective, by folder and step.
    _values: dict[tuple[Path, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._notices = Notices(self.objective)
        self._steps = EpochsOfSteps(self._notices, self.first_epoch, self.max_epochs)
        self._folders = FolderChoice(self.directory, self._notices)
        self._search = FolderSearch(self.directory, self._is_named, pattern=self.pattern)

    @property
    def has_files(self) -> bool:
        """Whether an event file was found."""
        return bool(self._runs)

    def read(self) -> list[Measurement]:
        """Return what is new in the files."""
        self._add()
        found = self._collected(lambda file: file.read(), held_before_s=time.monotonic() - HOLD_S)
        found += self._notices.take()
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
        self._steps.end()
        found += [*self._notices.take(), *self._damages()]
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
                run.step, run.furthest = event.step, max(run.furthest, event.step)
            for tag, number in event.values.items():
                yield from self._taken(run, tag, number)
        if held_before_s == math.inf or (not run.has_tag and run.pending_since_s <= held_before_s):
            yield from self._flushed(run)

    def _taken(self, run: _Run, tag: str, number: float) -> Iterator[Measurement]:
        if key_of(tag) == _COUNTED or tag == _DONE:
            if math.isfinite(number):
                run.has_tag = True
                # Transformers writes a loss of training only when some of it is done.
                run.is_own |= tag != _DONE or (number == 0 and any(name.startswith("train") for name in run.pending))
                run.epoch = self._numbered(run, number)
            yield from self._flushed(run)
        elif not _HYPERPARAMETERS.match(tag):
            run.is_own |= _OF_TRANSFORMERS.match(tag) is None
            name = run.rename(tag)
            before = run.pending.get(name)
            if before is not None and (not is_finite(before) or find_name([name], self.objective) is not None):
                yield from self._flushed(run)
            run.pending_since_s = run.pending_since_s if run.pending else time.monotonic()
            run.pending[name] = number

    def _flushed(self, run: _Run) -> Iterator[Measurement]:
        """Yield what stands at the current step, or let it wait for its epoch."""
        values, run.pending = run.pending, {}
        if not values:
            return
        name = find_name(values, self.objective)
        if name is not None and not self._folders.counts(run.file.path):
            del values[name]
            name = None
        step = run.step
        if name is None and run.reports > 1 and not run.furthest:
            step = run.reports
        elif name is not None:
            step = self._noted(run, values[name])
        if run.has_tag:
            yield _measurement(values, run.epoch, step)
            return
        if name is not None:
            self._steps.add(step, run.furthest)
        lost = {name: number for name, number in values.items() if not is_finite(number)}
        if lost:
            yield _measurement(lost, self._steps.of(step), step)
        run.waiting.append((step, {name: number for name, number in values.items() if name not in lost}))
        del run.waiting[:-_MOST_HELD_BACK]

    def _numbered(self, run: _Run, number: float) -> int:
        """Return the epoch that a tag says."""
        if run.is_own:
            return run.numbers.of(number)
        run.numbers.note(number)
        return max(math.ceil(number) - 1, 0)

    def _noted(self, run: _Run, number: float) -> int:
        """Return the step of a value of the objective, where there are any; say what has several values."""
        key = run.file.path.parent, run.step
        is_other = str(self._values.get(key, number)) != str(number)
        self._values[key] = number
        if run.has_tag:
            if run.epoch < run.last_epoch:
                where, which = "in event files whose epochs begin again", "and the last of each epoch counts"
                self._notices.say_several("restart", where, which, "write it once")
            run.last_epoch = run.epoch
        elif not run.furthest:
            run.reports += 1
            return run.reports - 1
        if is_other or run.reports > 1:
            where = f"several times at step {run.step if is_other else 0} of the event files"
            self._notices.say_several("step", where, "and the last of each step counts", "write it once")
        return run.step

    def _settled(self, run: _Run) -> Iterator[Measurement]:
        """Yield what has waited for its epoch, which is known by now or never."""
        waiting, run.waiting = run.waiting, []
        return (_measurement(values, self._steps.of(step), step) for step, values in waiting if values)

    def _add(self, *, is_last: bool = False) -> None:
        for path in self._search.new_files(is_last=is_last):
            where = str(path.relative_to(self.directory))
            numbers = WholeOrDone(self.first_epoch or 0, notices=self._notices, where=where)
            self._runs[path] = _Run(EventFile(path, self.directory), _naming(path.parent.name), numbers)
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
    return measured(found | hidden_losses(found), epoch, step)
