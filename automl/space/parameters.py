"""The search space: parameters, their ranges, when they act, and which assignments are valid.

A space is pure data plus arithmetic. It knows how a number in [0, 1] becomes a value of a parameter and back, so every
sampler (Sobol, Gaussian process, TPE, ...) sees the same scale, and both ends of every range are reachable.
What comes into a space and why is decided in `automl.space.build`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.conditions import Condition, Relation

Scalar: TypeAlias = "bool | int | float | str | None"
"""A value that a parameter can take."""

Assignment: TypeAlias = "Mapping[str, Scalar]"
"""Parameter path -> value, for the parameters that are active."""


class ParameterType(StrEnum):
    """What kind of values a parameter takes."""

    FLOAT = "float"
    INT = "int"
    CATEGORICAL = "categorical"
    BOOL = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One searched parameter.

    Attributes:
        path: Where its value goes in the spec.
        type: Kind of values.
        low: Smallest value, reachable; None for categorical and bool.
        high: Largest value, reachable; None for categorical and bool.
        log: The range is searched on a logarithmic scale.
        step: Distance between neighbouring values counted from ``low``; None for continuous and categorical.
        choices: The options of a categorical or bool parameter, or the only values a number may take (powers, ...).
        weights: Prior weight of each choice, same length as ``choices``; empty for equal weights.
        default: The value of the merged spec, i.e. of trial 0. It may lie outside the range or the choices.
        condition: When it acts; None for always.
        reason: Why it is searched, and what was derived about its range; a sentence for `automl space`.

    Raises:
        ValueError: bounds are missing, not finite, reversed, not positive on a logarithmic scale, or choices are empty.
    """

    path: str
    type: ParameterType
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Scalar, ...] = ()
    weights: tuple[float, ...] = ()
    default: Scalar = None
    condition: Condition | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.choices:
            if self.weights and len(self.weights) != len(self.choices):
                raise ValueError(f"{self.path}: {len(self.weights)} weights for {len(self.choices)} choices")
            return
        if self.type in {ParameterType.CATEGORICAL, ParameterType.BOOL}:
            raise ValueError(f"{self.path}: a {self.type} parameter needs choices")
        low, high = self.low, self.high
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"{self.path}: the range {low}..{high} is not finite")
        if low > high:
            raise ValueError(f"{self.path}: the range {low}..{high} is reversed")
        if self.log and low <= 0:
            raise ValueError(f"{self.path}: a logarithmic range cannot start at {low}")

    @property
    def size(self) -> float:
        """Number of distinct values; infinite for a continuous range."""
        if self.choices:
            return len(self.choices)
        low, high = self.bounds
        if self.type is ParameterType.FLOAT and self.step is None:
            return 1 if low == high else math.inf
        return math.floor((high - low) / (self.step or 1) + 1e-9) + 1

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value of a numeric range.

        Raises:
            ValueError: the parameter has choices instead of a range.
        """
        if self.low is None or self.high is None:
            raise ValueError(f"{self.path} has choices, not a range")
        return self.low, self.high

    def from_unit(self, position: float) -> Scalar:
        """Return the value at a position in [0, 1] of the range; each discrete value has an equal share of it."""
        position = min(max(position, 0.0), 1.0)
        if self.choices:
            return self._choice_at(position)
        low, high = self.bounds
        if self.type is ParameterType.INT or self.step is not None:
            # Half a step is added at each end, so the two ends get as large a share as the values between them.
            half = (self.step or 1) / 2
            low, high = low - half, high + half
            if self.log:
                low = max(low, self.bounds[0] / 2)
        value = (
            math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
            if self.log
            else low + position * (high - low)
        )
        return self.nearest(value)

    def to_unit(self, value: Scalar) -> float:
        """Return the position of a value in [0, 1]; values outside the range are moved to its nearest end."""
        if self.choices:
            index = next((i for i, choice in enumerate(self.choices) if _same(choice, value)), 0)
            return (index + 0.5) / len(self.choices)
        low, high = self.bounds
        if low == high or not isinstance(value, int | float):
            return 0.5
        number = min(max(float(value), low), high)
        if self.log:
            return (math.log(number) - math.log(low)) / (math.log(high) - math.log(low))
        return (number - low) / (high - low)

    def nearest(self, value: float) -> int | float:
        """Return the valid number nearest to ``value``: inside the range, on a step, an int for ints."""
        low, high = self.bounds
        number = min(max(value, low), high)
        step = self.step if self.step is not None else (1 if self.type is ParameterType.INT else None)
        if step is not None:
            number = low + round((number - low) / step) * step
            if number > high + 1e-12 * abs(high):
                number -= step
        return round(number) if self.type is ParameterType.INT else float(number)

    def contains(self, value: Scalar) -> bool:
        """Tell whether the parameter can take the value."""
        if self.choices:
            return any(_same(choice, value) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self.bounds
        return low <= value <= high and math.isclose(self.nearest(value), value, rel_tol=1e-9, abs_tol=1e-12)

    def _choice_at(self, position: float) -> Scalar:
        weights = self.weights or (1.0,) * len(self.choices)
        target = position * sum(weights)
        for choice, weight in zip(self.choices, weights, strict=True):
            target -= weight
            if target < 0:
                return choice
        return self.choices[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A parameter that is not searched, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """What a study searches.

    Attributes:
        parameters: In an order in which every parent comes before its children.
        left_out: Every parameter of the schema that is not searched, with its reason.
        relations: Constraints between parameters, or between a parameter and a fixed value of the spec.
        fixed: Values of the spec that conditions and relations refer to: parameter path -> value.
    """

    parameters: tuple[Parameter, ...]
    left_out: tuple[LeftOut, ...] = ()
    relations: tuple[Relation, ...] = ()
    fixed: Mapping[str, Scalar]

    def __getitem__(self, path: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.path == path:
                return parameter
        raise KeyError(path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The searched parameter paths, in order."""
        return tuple(parameter.path for parameter in self.parameters)

    @property
    def size(self) -> float:
        """Number of assignments if every parameter were active; infinite when one is continuous."""
        return math.prod(parameter.size for parameter in self.parameters)

    def default_assignment(self) -> dict[str, Scalar]:
        """Return trial 0: the merged spec's own values of the active parameters, untouched even where out of range."""
        values = {parameter.path: parameter.default for parameter in self.parameters}
        return {path: value for path, value in values.items() if self.is_active(path, values)}

    def is_active(self, path: str, values: Assignment) -> bool:
        """Tell whether a parameter acts, given the values of the others."""
        condition = self[path].condition
        return condition is None or condition.holds({**self.fixed, **values})

    def from_unit(self, positions: Mapping[str, float]) -> dict[str, Scalar]:
        """Turn positions in [0, 1], one for each parameter, into a valid assignment (inactive ones are dropped)."""
        return self.repair({p.path: p.from_unit(positions[p.path]) for p in self.parameters})

    def to_unit(self, assignment: Assignment) -> dict[str, float]:
        """Return the position of every parameter; an inactive one stands at its default."""
        return {p.path: p.to_unit(assignment.get(p.path, p.default)) for p in self.parameters}

    def repair(self, assignment: Assignment) -> dict[str, Scalar]:
        """Return the nearest valid assignment: values inside ranges, relations satisfied, inactive parameters dropped.

        The spec's values of parameters that the assignment lacks are their defaults.
        """
        values: dict[str, Scalar] = {}
        for parameter in self.parameters:
            if parameter.condition is not None and not parameter.condition.holds({**self.fixed, **values}):
                continue
            value = assignment.get(parameter.path, parameter.default)
            if not parameter.contains(value):
                value = parameter.from_unit(parameter.to_unit(value))
            for relation in self.relations:
                if relation.path == parameter.path:
                    value = relation.repair(value, parameter, {**self.fixed, **values})
            values[parameter.path] = value
        return values

    def violations(self, assignment: Assignment) -> tuple[str, ...]:
        """Say everything that makes an assignment invalid; empty when it is valid."""
        found = [f"{path} is not searched" for path in assignment if path not in self.paths]
        for parameter in self.parameters:
            is_active = self.is_active(parameter.path, assignment)
            if parameter.path not in assignment:
                if is_active:
                    found.append(f"{parameter.path} has no value")
                continue
            value = assignment[parameter.path]
            if not is_active:
                found.append(f"{parameter.path} does not act here")
            elif not parameter.contains(value):
                found.append(f"{parameter.path} cannot be {value!r}")
        known = {**self.fixed, **assignment}
        found += [str(r) for r in self.relations if r.path in assignment and not r.holds(assignment[r.path], known)]
        return tuple(found)


def _same(first: Scalar, second: Scalar) -> bool:
    # True == 1 in Python; an option True and an option 1 are two different things in a spec.
    return first == second and isinstance(first, bool) == isinstance(second, bool)
