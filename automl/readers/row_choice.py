"""Which rows of a metric file count for the objective where one epoch has several: of data sets, folds or classes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from automl.readers.names import find_name
from automl.readers.splits import Split, is_unclear, split_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.readers.metric_rows import Row
    from automl.readers.notices import Notices
    from automl.skill.model import JsonValue
    from automl.study.trial import Measurement

T = TypeVar("T")
_OF_ALL = re.compile(r"(?:^|/)(?:mean|avg|average|all|overall|total)(?:$|/)")


@dataclass(slots=True)
class RowChoice:
    """Lets the rows of one label count: of all, else of validation, else of the first that has the objective.

    Rows of another label have it in the names of their metrics: ``nyu_abs_rel``.

    Attributes:
        file: Name of the file.
        objective: Name of the metric; empty where none is looked for.
        notices: Where to say which of several rows count.
    """

    file: str
    objective: str
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
                self.notices.say(
                    "labels",
                    f"{self.objective} stands in rows of {self.file} of {self._counting} and of {label}, and those of "
                    f"{self._counting} count; the other is {label}_{self.objective}",
                )
            yield replace(
                found,
                values={f"{label}_{name}": value for name, value in found.values.items()},
                nonfinite={f"{label}_{name}": word for name, word in found.nonfinite.items()},
            )

    def _has_objective(self, found: Measurement) -> bool:
        return bool(self.objective) and find_name((*found.values, *found.nonfinite), self.objective) is not None

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
        name = find_name(joined, self.objective)
        return dict(numbers) if name is None else {**numbers, self.objective: numbers[joined[name]]}

    def _note_repeated(self, found: Measurement, epoch: JsonValue) -> None:
        """Say that rows of one epoch have different values, and that nothing distinguishes them."""
        name = find_name(found.values, self.objective) if self.objective else None
        if name is None or found.epoch is None:
            return
        number, key = found.values[name], (found.epoch, found.step, epoch)
        last, self._last = self._last or key, key
        if self._values.get(found.epoch, number) != number and (key == last or found.epoch < last[0]):
            self.notices.say(
                "repeated",
                f"{self.objective} stands in several rows of epoch {found.epoch} of {self.file}, and the last of them "
                "counts; distinguish them by a column such as dataset or split",
            )
        self._values[found.epoch] = number


def _is_unclear(counting: int, other: int) -> bool:
    return counting == other or (min(counting, other) >= 0 and is_unclear(Split(counting), Split(other)))


def _rank(label: str) -> int:
    return -1 if _OF_ALL.search(label) else min((split_of(part) for part in label.split("/")), default=Split.UNNAMED)
