"""Which rows of a metric file count for the objective where one epoch has several: of data sets, folds or classes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from automl.readers.names import find_name
from automl.readers.splits import Split, split_of
from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.readers.metric_rows import Row

T = TypeVar("T")
_OF_ALL = re.compile(r"(?:^|/)(?:mean|avg|average|all|overall|total)(?:$|/)")


@dataclass(slots=True)
class RowChoice:
    """Lets the rows of one label count: of all, else of validation, else of the first that has the objective.

    Rows of another label have it in the names of their metrics: ``nyu_abs_rel``.

    Attributes:
        file: Name of the file.
        objective: Name of the metric; empty where none is looked for.
    """

    file: str
    objective: str
    _counting: str | None = None
    _last: Measurement | None = None
    _said: set[str] = field(default_factory=set)

    def chosen(self, rows: Iterable[Row]) -> Iterator[Measurement]:
        """Yield what rows report, and what is to be said of them."""
        labelled = [(row.label, self._named(row)) for row in rows]
        having = [label for label, found in labelled if label and self._has_objective(found)]
        if having and (self._counting is None or _rank(min(having, key=_rank)) < _rank(self._counting)):
            self._counting = min(having, key=_rank)
        for label, found in labelled:
            if not label or label == self._counting or not self._has_objective(found):
                yield from self._repeated(found)
                yield found
                continue
            if _rank(label) == _rank(self._counting or ""):
                yield from self._say(
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

    def _repeated(self, found: Measurement) -> Iterator[Measurement]:
        """Say that two rows of one epoch have different values, and that nothing distinguishes them."""
        if not self._has_objective(found) or found.epoch is None:
            return
        last, self._last = self._last, found
        name = find_name(found.values, self.objective)
        if last is None or name is None or (last.epoch, last.step) != (found.epoch, found.step):
            return
        if last.values.get(name, found.values[name]) != found.values[name]:
            yield from self._say(
                "repeated",
                f"{self.objective} stands in several rows of epoch {found.epoch} of {self.file}, and the last of them "
                "counts; distinguish them by a column such as dataset or split",
            )

    def _say(self, kind: str, text: str) -> Iterator[Measurement]:
        if kind not in self._said:
            self._said.add(kind)
            yield Measurement(notice=text)


def _rank(label: str) -> int:
    return -1 if _OF_ALL.search(label) else min((split_of(part) for part in label.split("/")), default=Split.UNNAMED)
