"""When a parameter acts (`Condition`) and how its value is bound to others (`Relation`).

Both are data: they come from a skill's schema (`math_cond`, `depends_on`) and from the table of conditions per
architecture, and they are shown to the user in the same words.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automl.space.parameters import Parameter, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A parameter acts only while another one has one of some values.

    Attributes:
        path: The other parameter; searched or fixed in the spec.
        any_of: The values under which this parameter acts.
        also: Further conditions, all of which have to hold.
    """

    path: str
    any_of: tuple[Scalar, ...]
    also: tuple[Condition, ...] = ()

    def holds(self, values: Mapping[str, Scalar]) -> bool:
        """Tell whether the parameter acts; an unknown parent means that it does not."""
        is_met = self.path in values and any(is_same(values[self.path], value) for value in self.any_of)
        return is_met and all(condition.holds(values) for condition in self.also)

    @property
    def parents(self) -> tuple[str, ...]:
        """Every parameter it looks at."""
        return (self.path, *(parent for condition in self.also for parent in condition.parents))

    def __str__(self) -> str:
        own = f"{self.path} in {{{', '.join(map(str, self.any_of))}}}"
        return " and ".join([own, *map(str, self.also)])


class RelationKind(StrEnum):
    """How a value is bound."""

    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    NOT_EQUAL = "!="
    DERIVED_QUOTIENT = "/"
    """Not free: the parent's value divided by ``constant``, rounded down."""


_COMPARE: dict[RelationKind, Callable[[float, float], bool]] = {
    RelationKind.GREATER: operator.gt,
    RelationKind.AT_LEAST: operator.ge,
    RelationKind.LESS: operator.lt,
    RelationKind.AT_MOST: operator.le,
    RelationKind.NOT_EQUAL: operator.ne,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A constraint on the value of ``path``.

    Attributes:
        path: The constrained parameter.
        kind: The relation.
        parent: Parameter path of the other side; None where the other side is ``constant``.
        constant: The other side, or the divisor of `RelationKind.DERIVED_QUOTIENT`.
    """

    path: str
    kind: RelationKind
    parent: str | None = None
    constant: float = 0.0

    def holds(self, value: Scalar, values: Mapping[str, Scalar]) -> bool:
        """Tell whether ``value`` satisfies the relation; a parent without a number constrains nothing."""
        other = self.other_side(values)
        if other is None or isinstance(value, bool) or not isinstance(value, int | float):
            return True
        if self.kind is RelationKind.DERIVED_QUOTIENT:
            return value == other // self.constant
        return _COMPARE[self.kind](value, other)

    def other_side(self, values: Mapping[str, Scalar]) -> float | None:
        """Return the number that the value is compared with, or None if there is none."""
        if self.parent is None:
            return self.constant
        found = values.get(self.parent)
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return float(found) if is_number and math.isfinite(float(found)) else None  # type: ignore[arg-type] # is_number

    def __str__(self) -> str:
        other = self.parent if self.parent is not None else f"{self.constant:g}"
        if self.kind is RelationKind.DERIVED_QUOTIENT:
            return f"{self.path} = {other} / {self.constant:g}"
        return f"{self.path} {self.kind.value} {other}"


def gap_of(parameter: Parameter) -> float:
    """Return the smallest useful distance between two values of a numeric range.

    For continuous ranges one part in a million of the range: visible in a spec and harmless in value.
    """
    if parameter.step is not None:
        return parameter.step
    low, high = parameter.bounds
    return 1.0 if parameter.is_integer else max((high - low) * 1e-6, abs(high) * 1e-12, 1e-15)


def nearest_valid(
    parameter: Parameter, value: Scalar, relations: Sequence[Relation], values: Mapping[str, Scalar]
) -> Scalar:
    """Return the value of ``parameter`` nearest to ``value`` that satisfies every relation.

    ``value`` itself comes back if it is valid, or if no value is: then the assignment violates a relation, and
    `SearchSpace.violations` says so.
    """
    if all(relation.holds(value, values) for relation in relations) or isinstance(value, bool):
        return value
    others = [other for relation in relations if (other := relation.other_side(values)) is not None]
    for relation in relations:
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            parent = relation.other_side(values)
            return value if parent is None else int(parent // relation.constant)
    candidates = [c for c in _candidates(parameter, others) if all(r.holds(c, values) for r in relations)]
    position = parameter.to_unit(value)
    return min(candidates, key=lambda c: abs(parameter.to_unit(c) - position), default=value)


def _candidates(parameter: Parameter, others: Sequence[float]) -> list[int | float]:
    """Return the values at which a valid stretch of the range can begin or end."""
    if parameter.choices:
        return [c for c in parameter.choices if isinstance(c, int | float) and not isinstance(c, bool)]
    gap = gap_of(parameter)
    beside = [parameter.nearest(other + count * gap) for other in others for count in (-2, -1, 0, 1, 2)]
    return [*beside, parameter.nearest(parameter.bounds[0]), parameter.nearest(parameter.bounds[1])]


def is_same(first: Scalar, second: Scalar) -> bool:
    """Tell whether two values are the same in a spec: True and 1 are equal in Python and are not the same there."""
    return first == second and isinstance(first, bool) == isinstance(second, bool)
