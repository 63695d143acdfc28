"""A search space as columns of numbers: what the Gaussian process and the evolutionary samplers compute with.

A *point* has one position in [0, 1] per parameter, on the scale of its range; options without an order sit at
``(index + 0.5) / count``. A *feature* row is what distances are measured on: one column for a range or for ordered
options, one column per option otherwise, so that any two options are equally far apart. A parameter that does not act
stands at its default, so it adds no distance between two points that both lack it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from automl.space.values import is_same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.space.conditions import Condition
    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

# Up to this many values a range is kept as a table; beyond it a range of ints is as good as continuous.
_LARGEST_TABLE = 1024
_MOVED = 1e-3
# Two options are ordered either way.
_ORDERED_ANYWAY = 2


@dataclass(frozen=True, slots=True)
class _Column:
    """One parameter: its values in order and their positions; empty where continuous."""

    parameter: Parameter
    values: tuple[Scalar, ...]
    positions: np.ndarray
    is_ordered: bool = True

    @property
    def edges(self) -> np.ndarray:
        """The positions at which the shares of neighbouring values meet."""
        if not self.parameter.choices:
            return np.asarray((self.positions[1:] + self.positions[:-1]) / 2)
        return np.arange(1, len(self.positions)) / len(self.positions)

    def position(self, value: Scalar) -> float:
        if not self.values:
            return self.parameter.to_unit(value)
        known = [i for i, candidate in enumerate(self.values) if is_same(candidate, value)]
        if known:
            nearest = known[0]
        elif not self.parameter.choices:
            nearest = int(np.abs(self.positions - self.parameter.to_unit(value)).argmin())
        elif self.is_ordered and isinstance(value, int | float):
            gaps = [abs(v - value) if isinstance(v, int | float) else math.inf for v in self.values]
            nearest = int(np.argmin(gaps))
        else:
            nearest = 0
        return float(self.positions[nearest])

    def value(self, position: float) -> Scalar:
        if self.values:
            return self.values[int(np.abs(self.positions - position).argmin())]
        return self.parameter.from_unit(position)


class Encoder:
    """Turns assignments into points and feature rows, and back."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._columns = tuple(_column_of(parameter) for parameter in space.parameters)
        self._index = {path: i for i, path in enumerate(space.paths)}
        self.dimensions = len(self._columns)
        """Number of parameters."""
        self.default_point = np.array([c.position(c.parameter.default) for c in self._columns])
        """The template as a point, shape (dimensions,)."""
        self._rows: dict[int, bytes] = {}
        self._kept: dict[int, Mapping[str, Scalar]] = {}
        widths = [1 + bool(c.parameter.beside) if c.is_ordered else len(c.positions) for c in self._columns]
        self.groups = np.repeat(np.arange(len(widths)), widths)
        """For each feature column, the index of its parameter."""

    def points(self, assignments: Sequence[Mapping[str, Scalar]]) -> np.ndarray:
        """Return one point per assignment, shape (n, dimensions)."""
        rows = [*map(self._rows.get, map(id, assignments))]
        known = [row or self._new_row(assignment) for row, assignment in zip(rows, assignments, strict=True)]
        return np.frombuffer(b"".join(known)).reshape(len(assignments), self.dimensions).copy()

    def _new_row(self, assignment: Mapping[str, Scalar]) -> bytes:
        # A history is encoded again for every proposal; its trials do not change, and are kept alive here.
        row = [
            column.position(assignment[column.parameter.path]) if column.parameter.path in assignment else default
            for column, default in zip(self._columns, self.default_point.tolist(), strict=True)
        ]
        self._kept[id(assignment)] = assignment
        return self._rows.setdefault(id(assignment), np.array(row, dtype=float).tobytes())

    def assignment(self, point: np.ndarray) -> dict[str, Scalar]:
        """Return the assignment at a point; values that relations forbid are spread over the others."""
        values = {c.parameter.path: c.value(float(x)) for c, x in zip(self._columns, point, strict=True)}
        return self.space.spread(values)

    def is_at(self, assignment: Mapping[str, Scalar], point: np.ndarray) -> bool:
        """Tell whether an assignment lies at a snapped point: no relation has moved a value of it."""
        if not self.space.relations:
            return True
        places = [
            (column.position(assignment[column.parameter.path]), float(place))
            for column, place in zip(self._columns, point, strict=True)
            if column.parameter.path in assignment
        ]
        return all(abs(own - place) < _MOVED for own, place in places)

    def snap(self, points: np.ndarray) -> np.ndarray:
        """Return the points moved to values that exist, with parameters that do not act at their defaults.

        Discrete values have equal shares of [0, 1], on a logarithmic range the positions nearest to them. Relations are
        not looked at; `assignment` settles them.
        """
        snapped: np.ndarray = np.clip(points, 0.0, 1.0)
        for i, column in enumerate(self._columns):
            if len(column.positions):
                snapped[:, i] = column.positions[np.searchsorted(column.edges, snapped[:, i], side="right")]
            elif column.parameter.beside:
                share, count = column.parameter.beside_share, len(column.parameter.beside)
                centres = share * (np.floor(snapped[:, i] / share * count) + 0.5) / count
                snapped[:, i] = np.where(snapped[:, i] < share, centres, snapped[:, i])
        active = np.ones(snapped.shape, dtype=bool)
        for i, column in enumerate(self._columns):
            if column.parameter.condition is not None:
                active[:, i] = self._holds(column.parameter.condition, snapped, active)
                snapped[~active[:, i], i] = self.default_point[i]
        return snapped

    def _holds(self, condition: Condition, points: np.ndarray, active: np.ndarray) -> np.ndarray:
        parent = self._index.get(condition.path)
        if parent is None:
            held = np.full(len(points), replace(condition, also=()).holds(self.space.fixed))
        else:
            column = self._columns[parent]
            allowed = [column.position(value) for value in condition.any_of if column.parameter.contains(value)]
            matches = np.isclose(points[:, parent, None], np.array(allowed)[None, :], atol=1e-9).any(axis=1)
            held = matches & active[:, parent]
        for further in condition.also:
            held = np.logical_and(held, self._holds(further, points, active))
        return held

    def features(self, points: np.ndarray) -> np.ndarray:
        """Return feature rows of snapped points, shape (n, len(groups))."""
        blocks = []
        for i, column in enumerate(self._columns):
            if column.is_ordered:
                blocks.append(points[:, i : i + 1])
                if column.parameter.beside:
                    # Off is no small value: a step away from all of them.
                    blocks.append((points[:, i : i + 1] < column.parameter.beside_share) * math.sqrt(0.5))
            else:
                # Two different options are at distance 1.
                blocks.append(np.isclose(points[:, i : i + 1], column.positions, atol=1e-9) * math.sqrt(0.5))
        return np.hstack(blocks) if blocks else np.empty((len(points), 0))

    def options(self, index: int) -> tuple[float, ...]:
        """Return the positions of a parameter's values where these have no order; empty where they have one."""
        column = self._columns[index]
        return () if column.is_ordered else tuple(column.positions.tolist())

    def spread(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Return snapped points spread over the whole space, shape (count, dimensions)."""
        return self.snap(generator.random((count, self.dimensions)))

    def nearby(self, centres: np.ndarray, count: int, scale: float, generator: np.random.Generator) -> np.ndarray:
        """Return snapped points near some centres: each differs from its centre in a few parameters.

        Args:
            centres: Points, shape (k, dimensions), k >= 1.
            count: How many points to return.
            scale: Standard deviation of a step, in units of the range; a discrete value moves by at least one.
            generator: Source of randomness.
        """
        points = centres[generator.integers(len(centres), size=count)].copy()
        moved = generator.random((count, self.dimensions)) < max(2.0 / self.dimensions, 0.3)
        moved[np.arange(count), generator.integers(self.dimensions, size=count)] = True
        for i, column in enumerate(self._columns):
            values = len(column.positions)
            width = max(scale, 1.0 / (values - 1) if values > 1 else 0.0)
            step = generator.normal(0.0, width, count)
            fresh = generator.random(count)
            points[:, i] = np.where(moved[:, i], points[:, i] + step if column.is_ordered else fresh, points[:, i])
        # Folded back at the ends, so that the ends themselves are no magnets.
        folded = np.abs(points)
        return self.snap(np.where(folded > 1.0, 2.0 - folded, folded))


def values_of(parameter: Parameter) -> tuple[Scalar, ...]:
    """Return every value of a discrete parameter, in order."""
    if parameter.choices:
        return parameter.choices
    low, step = parameter.bounds[0], parameter.step or 1
    count = int(parameter.size) - len(parameter.beside)
    return (*parameter.beside, *dict.fromkeys(parameter.nearest(low + k * step) for k in range(count)))


def _column_of(parameter: Parameter) -> _Column:
    if not parameter.choices and parameter.size > _LARGEST_TABLE:
        return _Column(parameter, (), np.empty(0))
    values = values_of(parameter)
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if not parameter.choices:
        return _Column(parameter, values, np.array([parameter.to_unit(v) for v in values]))
    if len(numbers) == len(values):
        positions = np.linspace(0, 1, len(values)) if len(values) > 1 else np.array([0.5])
        return _Column(parameter, tuple(sorted(numbers)), positions)
    positions = (np.arange(len(values)) + 0.5) / len(values)
    return _Column(parameter, values, positions, is_ordered=len(values) <= _ORDERED_ANYWAY)
