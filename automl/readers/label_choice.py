"""Which rows of a file, or which folders of event files, count where several have the objective of one epoch.

They are of data sets, folds or classes, or of training, validation and test: those of all count, else those of
validation, else the first that have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from automl.readers.names import find_name
from automl.readers.splits import OF_ALL, SHORT, Split, is_unclear, split_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from automl.readers.metric_rows import Row
    from automl.readers.notices import Notices
    from automl.skill.model import JsonValue
    from automl.study.trial import Measurement

T = TypeVar("T")


@dataclass(slots=True)
class RowChoice:
    """Lets the rows of one label count; those of another one have it in the names of their metrics: ``nyu_abs_rel``.

    Attributes:
        file: Name of the file.
        notices: Where to say which of several rows count.
    """

    file: str
    notices: Notices
    _counting: str | None = None
    # Epoch, step and epoch as it is written of the last row that counted; and the last value of each epoch.
    _last: tuple[int, int | None, JsonValue] | None = None
    _values: dict[int, float] = field(default_factory=dict)

    def chosen(self, rows: Iterable[Row]) -> Iterator[Measurement]:
        """Yield what rows report."""
        labelled = [(row.label, row.epoch, self._named(row)) for row in rows]
        having = [label for label, _, found in labelled if label and self._has_objective(found)]
        if having and (self._counting is None or _rank(min(having, key=_rank)) < _rank(self._counting)):
            self._counting = min(having, key=_rank)
        for label, epoch, found in labelled:
            if not label or label == self._counting or not self._has_objective(found):
                self._note_repeated(found, epoch)
                yield found
                continue
            if _is_unclear(_rank(self._counting or ""), _rank(label)):
                where, which = f"of {self._counting} and of {label}", f"and those of {self._counting} count"
                other = f"the other is {label}_{self.notices.objective}"
                self.notices.say_several("labels", f"in rows of {self.file} {where}", which, other)
            yield replace(
                found,
                values={f"{label}_{name}": value for name, value in found.values.items()},
                nonfinite={f"{label}_{name}": word for name, word in found.nonfinite.items()},
            )

    def _has_objective(self, found: Measurement) -> bool:
        objective = self.notices.objective
        return bool(objective) and find_name((*found.values, *found.nonfinite), objective) is not None

    def _named(self, row: Row) -> Measurement:
        """Return a row with the objective where its label is a part of that: ``acc`` of ``val`` is ``val_acc``."""
        found = row.measurement
        if not row.label or self._has_objective(found):
            return found
        return replace(
            found, values=self._joined(row.label, found.values), nonfinite=self._joined(row.label, found.nonfinite)
        )

    def _joined(self, label: str, numbers: Mapping[str, T]) -> dict[str, T]:
        joined = {f"{part}_{name}": name for part in (label.replace("/", "_"), *label.split("/")) for name in numbers}
        name = find_name(joined, self.notices.objective)
        return dict(numbers) if name is None else {**numbers, self.notices.objective: numbers[joined[name]]}

    def _note_repeated(self, found: Measurement, epoch: JsonValue) -> None:
        """Say that rows of one epoch have different values, and that nothing distinguishes them."""
        name = find_name(found.values, self.notices.objective) if self.notices.objective else None
        if name is None or found.epoch is None:
            return
        number, key = found.values[name], (found.epoch, found.step, epoch)
        last, self._last = self._last or key, key
        if self._values.get(found.epoch, number) != number and (key == last or found.epoch < last[0]):
            where = f"in several rows of epoch {found.epoch} of {self.file}"
            fix = "distinguish them by a column such as dataset or split"
            self.notices.say_several("repeated", where, "and the last of them counts", fix)
        self._values[found.epoch] = number


@dataclass(slots=True)
class FolderChoice:
    """Lets the objective of one folder count; a split as its whole name is a part of the names of its metrics.

    Attributes:
        directory: The trial directory.
        notices: Where to say which of several counts.
    """

    directory: Path
    notices: Notices
    _splits: dict[Path, Split] = field(default_factory=dict, init=False)
    _counting: Path | None = field(default=None, init=False)

    def add(self, file: Path) -> None:
        """Take a file over that may have the objective."""
        parts = reversed(file.parent.relative_to(self.directory).parts)
        found = (split for part in parts if (split := split_of(part)) is not Split.UNNAMED)
        self._splits[file.parent] = next(found, Split.UNNAMED)

    def counts(self, file: Path) -> bool:
        """Whether the objective of a file counts, which has it."""
        folder = file.parent
        if folder == self._counting or folder.name.lower() in SHORT:
            return True
        split = self._splits[folder]
        if split is Split.TRAINING and {Split.VALIDATION, Split.TEST} & set(self._splits.values()):
            return False
        if self._counting is None or split < self._splits[self._counting]:
            self._counting = folder
            return True
        if is_unclear(self._splits[self._counting], split):
            first, other = (path.relative_to(self.directory) for path in (self._counting, folder))
            where = f"in the event files of several folders, such as {first} and {other}"
            self.notices.say_several(
                "folders", where, f"and that of {first} counts", "give it a name of its own in each"
            )
        return False


def _is_unclear(counting: int, other: int) -> bool:
    return counting == other or (min(counting, other) >= 0 and is_unclear(Split(counting), Split(other)))


def _rank(label: str) -> int:
    parts = label.split("/")
    return -1 if OF_ALL.intersection(parts) else min(map(split_of, parts))
