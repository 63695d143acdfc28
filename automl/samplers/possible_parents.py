"""The trials of a study that NSGA-II can make parents, kept from proposal to proposal as trials end.

A trial that so many others dominate as there are parents is never one: all of these are on fronts before its own,
whatever is measured later. So a long study is not looked at again, and its first front is known without a search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.gaussian_process.training_data import total_violations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.samplers.history import Observation

# Of so many trials at once it is first looked in some directions for good ones, which say who cannot be a parent.
_MANY, _DIRECTIONS = 200, 12
_AT_ONCE = 256
"""So many trials are compared with all others at a time."""


class PossibleParents:
    """The trials with values that may be parents yet.

    Args:
        most: How many parents there are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._trials: list[Observation] = []
        """Those that keep every constraint."""
        self._values = np.empty((0, 0))
        self._dominators = np.empty(0, dtype=int)
        """How many of these trials dominate each."""
        self._behind: list[Observation] = []
        """Those that miss a constraint: behind all others, they count while there are too few of these."""

    def __len__(self) -> int:
        return len(self._trials) + len(self._behind)

    def add(self, trials: Sequence[Observation]) -> None:
        """Add trials that have ended, with values, in any order."""
        misses = [any(by is not None and by > 0 for by in trial.violations) for trial in trials]
        kept = [trial for trial, is_missed in zip(trials, misses, strict=True) if not is_missed]
        if kept:
            values = np.array([trial.values for trial in kept])
            places = undominated_by_many(values, self._most)
            for start in range(0, len(places), _AT_ONCE):
                some = places[start : start + _AT_ONCE]
                self._add([kept[i] for i in some], values[some])
        if len(self._trials) < self._most:
            self._behind += [trial for trial, is_missed in zip(trials, misses, strict=True) if is_missed]
        else:
            self._behind = []

    def _add(self, trials: list[Observation], values: np.ndarray) -> None:
        known = self._values.reshape(-1, values.shape[1])
        self._dominators += _dominates(values, known).sum(axis=0)
        everything = np.concatenate([known, values])
        dominators = np.append(self._dominators, _dominates(everything, values).sum(axis=0))
        is_left = dominators < self._most
        self._trials = [trial for trial, stays in zip([*self._trials, *trials], is_left.tolist(), strict=True) if stays]
        self._values, self._dominators = everything[is_left], dominators[is_left]

    def chosen(self) -> tuple[list[Observation], list[float]]:
        """Return the parents, as Optuna's NSGA-II chooses and orders them, and by how much each misses constraints.

        Optuna itself takes a millisecond for every twenty trials of a first front, which grows with the study.
        """
        parents: list[Observation] = []
        for front, values in self._fronts():
            lacking = self._most - len(parents)
            if len(front) >= lacking:
                parents += [front[i] for i in loneliest_first(values)[:lacking]]
                return parents, [0.0] * len(parents)
            parents += front
        missed = [0.0] * len(parents)
        behind = sorted(self._behind, key=lambda trial: trial.number)
        amounts = total_violations(np.array([trial.violations for trial in behind], dtype=float)) if behind else ()
        for amount in np.unique(amounts):
            front = [trial for trial, by in zip(behind, amounts, strict=True) if by == amount]
            lacking = self._most - len(parents)
            if len(front) >= lacking:
                front = [front[i] for i in loneliest_first(np.array([trial.values for trial in front]))[:lacking]]
            parents += front
            missed += [float(amount)] * len(front)
            if len(parents) == self._most:
                break
        return parents, missed

    def _fronts(self) -> Iterator[tuple[list[Observation], np.ndarray]]:
        """Yield the fronts of the trials that keep every constraint, each in order of the trials' numbers."""
        left = np.argsort([trial.number for trial in self._trials])
        is_first = self._dominators[left] == 0
        while len(left):
            front, left = left[is_first], left[~is_first]
            yield [self._trials[i] for i in front], self._values[front]
            is_first = is_undominated(self._values[left])


def _dominates(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tell which rows dominate which, shape (first, second); values are the larger the better."""
    pairs = list(zip(first.T, second.T, strict=True))
    is_no_worse = np.logical_and.reduce([np.greater_equal.outer(one, other) for one, other in pairs])
    is_better = np.logical_or.reduce([np.greater.outer(one, other) for one, other in pairs])
    return np.asarray(is_no_worse & is_better)


def undominated_by_many(values: np.ndarray, many: int) -> np.ndarray:
    """Return the places without most of those that so many others dominate, ascending."""
    if len(values) <= _MANY:
        return np.arange(len(values))
    scaled = (values - values.min(axis=0)) / (np.ptp(values, axis=0) + 1e-300)
    is_left = np.ones(len(values), dtype=bool)
    objectives = values.shape[1]
    for weights in np.random.default_rng(0).dirichlet(np.ones(objectives), _DIRECTIONS if objectives > 1 else 1):
        corner = values[np.argpartition(scaled @ weights, -many)[-many:]].min(axis=0)
        is_left &= ~np.logical_and.reduce([column < end for column, end in zip(values.T, corner, strict=True)])
    return np.flatnonzero(is_left)


def is_undominated(values: np.ndarray) -> np.ndarray:
    """Tell which rows no other row dominates; of equal rows all or none."""
    places, place = np.arange(len(values)), 0
    rows = values
    while place < len(rows):
        stays = (rows > rows[place]).any(axis=1) | (rows == rows[place]).all(axis=1)
        place = int(stays[:place].sum()) + 1
        places, rows = places[stays], rows[stays]
    found = np.zeros(len(values), dtype=bool)
    found[places] = True
    return found


def loneliest_first(values: np.ndarray) -> np.ndarray:
    """Return the places of the trials of one front, the largest crowding distance first."""
    order, distances = np.arange(len(values)), np.zeros(len(values))
    with np.errstate(over="ignore", invalid="ignore"):
        for column in values.T:
            order = order[np.argsort(column[order], kind="stable")]
            ends = np.concatenate(([-np.inf], column[order], [np.inf]))
            if ends[1] != ends[-2]:
                distances[order] += (ends[2:] - ends[:-2]) / (ends[-2] - ends[1])
    return order[np.argsort(distances[order], kind="stable")][::-1]
