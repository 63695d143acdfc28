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

from automl.space.parameters import ParameterType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.space.conditions import Condition
    from automl.space.parameters import Parameter, SearchSpace
    from automl.space.values import Scalar

# Up to this many values a range is kept as a table; beyond it a range of ints is as good as continuous.
_LARGEST_TABLE = 1024
# Two options are ordered either way.
_ORDERED_ANYWAY = 2


@dataclass(frozen=True, slots=True)
class _Column:
    """One parameter: its values in order, their positions and the edges of their shares; empty where continuous."""

    parameter: Parameter
    values: tuple[Scalar, ...]
    positions: np.ndarray
    is_ordered: bool

    @property
    def edges(self) -> np.ndarray:
        if self.parameter.log and not self.parameter.choices:
            return np.asarray((self.positions[1:] + self.positions[:-1]) / 2)
        return np.arange(1, len(self.positions)) / len(self.positions)


class Encoder:
    """Turns assignments into points and feature rows, and back.

    Args:
        space: What is searched.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._columns = tuple(_column_of(parameter) for parameter in space.parameters)
        self._index = {path: i for i, path in enumerate(space.paths)}
        self._defaults = np.array([self._position(c, c.parameter.default) for c in self._columns])
        self._rows: dict[int, tuple[Mapping[str, Scalar], list[float]]] = {}
        self.groups = self._feature_groups()
        """For each feature column, the index of its parameter."""

    @property
    def dimensions(self) -> int:
        """Number of parameters."""
        return len(self._columns)

    @property
    def default_point(self) -> np.ndarray:
        """The template as a point, shape (dimensions,)."""
        return self._defaults.copy()

    def points(self, assignments: Sequence[Mapping[str, Scalar]]) -> np.ndarray:
        """Return one point per assignment, shape (n, dimensions)."""
        rows = [self._known_row(assignment) for assignment in assignments]
        return np.array(rows, dtype=float).reshape(len(assignments), self.dimensions)

    def _known_row(self, assignment: Mapping[str, Scalar]) -> list[float]:
        # A history is encoded again for every proposal; its trials do not change, and are kept alive here.
        known = self._rows.get(id(assignment))
        if known is None or known[0] is not assignment:
            row = [
                self._position(column, assignment[column.parameter.path])
                if column.parameter.path in assignment
                else float(self._defaults[i])
                for i, column in enumerate(self._columns)
            ]
            known = self._rows[id(assignment)] = (assignment, row)
        return known[1]

    def assignment(self, point: np.ndarray) -> dict[str, Scalar]:
        """Return the valid assignment nearest to a point."""
        values = {c.parameter.path: _value_at(c, float(x)) for c, x in zip(self._columns, point, strict=True)}
        return self.space.repair(values)

    def snap(self, points: np.ndarray) -> np.ndarray:
        """Return the points moved to values that exist, with parameters that do not act at their defaults.

        Discrete values have equal shares of [0, 1], on a logarithmic range the positions nearest to them. Relations are
        not looked at; `assignment` repairs them.
        """
        snapped = np.clip(points, 0.0, 1.0)
        for i, column in enumerate(self._columns):
            if len(column.positions):
                snapped[:, i] = column.positions[np.searchsorted(column.edges, snapped[:, i], side="right")]
        return self._deactivate(snapped)

    def features(self, points: np.ndarray) -> np.ndarray:
        """Return feature rows of snapped points, shape (n, len(groups))."""
        blocks = []
        for i, column in enumerate(self._columns):
            if column.is_ordered:
                blocks.append(points[:, i : i + 1])
            else:
                # Two different options are at distance 1.
                blocks.append(np.isclose(points[:, i : i + 1], column.positions, atol=1e-9) * math.sqrt(0.5))
        return np.hstack(blocks) if blocks else np.empty((len(points), 0))

    def step_of(self, index: int) -> float:
        """Return the distance between neighbouring values of an ordered discrete parameter; 0 where continuous."""
        count = len(self._columns[index].positions)
        return 1.0 / (count - 1) if count > 1 else 0.0

    def positions(self, index: int) -> tuple[float, ...]:
        """Return the positions of a parameter's values; empty where there is no table of them."""
        return tuple(self._columns[index].positions.tolist())

    def is_ordered(self, index: int) -> bool:
        """Tell whether neighbouring positions of a parameter mean similar values."""
        return self._columns[index].is_ordered

    def _position(self, column: _Column, value: Scalar) -> float:
        if not column.values:
            return column.parameter.to_unit(value)
        for candidate, position in zip(column.values, column.positions, strict=True):
            if candidate == value and isinstance(candidate, bool) == isinstance(value, bool):
                return float(position)
        if column.is_ordered and not column.parameter.choices:
            wanted = column.parameter.to_unit(value)
            return float(column.positions[np.abs(column.positions - wanted).argmin()])
        if column.is_ordered and isinstance(value, int | float):
            distances = [abs(float(v) - value) for v in column.values]  # type: ignore[arg-type] # ordered: numbers
            return float(column.positions[int(np.argmin(distances))])
        return float(column.positions[0])

    def _feature_groups(self) -> np.ndarray:
        widths = [1 if c.is_ordered else len(c.positions) for c in self._columns]
        return np.repeat(np.arange(len(widths)), widths)

    def _deactivate(self, points: np.ndarray) -> np.ndarray:
        active = np.ones(points.shape, dtype=bool)
        for i, column in enumerate(self._columns):
            condition = column.parameter.condition
            if condition is None:
                continue
            active[:, i] = self._holds(condition, points, active)
            points[~active[:, i], i] = self._defaults[i]
        return points

    def _holds(self, condition: Condition, points: np.ndarray, active: np.ndarray) -> np.ndarray:
        held = self._holds_alone(condition, points, active)
        for further in condition.also:
            held = held & self._holds(further, points, active)
        return held

    def _holds_alone(self, condition: Condition, points: np.ndarray, active: np.ndarray) -> np.ndarray:
        parent = self._index.get(condition.path)
        if parent is None:
            return np.full(len(points), replace(condition, also=()).holds(self.space.fixed))
        column = self._columns[parent]
        allowed = [self._position(column, value) for value in condition.any_of if column.parameter.contains(value)]
        matches = np.isclose(points[:, parent, None], np.array(allowed)[None, :], atol=1e-9).any(axis=1)
        return np.asarray(matches & active[:, parent])


def _column_of(parameter: Parameter) -> _Column:
    if not parameter.choices and parameter.size > _LARGEST_TABLE:
        return _Column(parameter, (), np.empty(0), is_ordered=True)
    values = _values_of(parameter)
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if not parameter.choices:
        return _Column(parameter, values, np.array([parameter.to_unit(v) for v in values]), is_ordered=True)
    if len(numbers) == len(values):
        ordered = tuple(sorted(numbers))
        positions = np.linspace(0, 1, len(ordered)) if len(ordered) > 1 else np.array([0.5])
        return _Column(parameter, ordered, positions, is_ordered=True)
    positions = (np.arange(len(values)) + 0.5) / len(values)
    return _Column(parameter, values, positions, is_ordered=len(values) <= _ORDERED_ANYWAY)


def _values_of(parameter: Parameter) -> tuple[Scalar, ...]:
    if parameter.choices:
        return parameter.choices
    low, _ = parameter.bounds
    step = parameter.step or (1 if parameter.type is ParameterType.INT else 0)
    return tuple(dict.fromkeys(parameter.nearest(low + k * step) for k in range(int(parameter.size))))


def _value_at(column: _Column, position: float) -> Scalar:
    if column.values:
        return column.values[int(np.abs(column.positions - position).argmin())]
    low, high = column.parameter.bounds
    if column.parameter.log:
        return column.parameter.nearest(math.exp(math.log(low) + position * (math.log(high) - math.log(low))))
    return column.parameter.nearest(low + position * (high - low))
