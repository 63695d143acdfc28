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
    from collections.abc import Callable, Mapping

    from automl.space.parameters import Parameter, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A parameter acts only while another one has one of some values.

    Attributes:
        path: The other parameter; searched or fixed in the spec.
        any_of: The values under which this parameter acts.
    """

    path: str
    any_of: tuple[Scalar, ...]

    def holds(self, values: Mapping[str, Scalar]) -> bool:
        """Tell whether the parameter acts; an unknown parent means that it does not."""
        return self.path in values and values[self.path] in self.any_of

    def __str__(self) -> str:
        return f"{self.path} in {{{', '.join(map(str, self.any_of))}}}"


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
        other = self._other_side(values)
        if other is None or isinstance(value, bool) or not isinstance(value, int | float):
            return True
        if self.kind is RelationKind.DERIVED_QUOTIENT:
            return value == other // self.constant
        return _COMPARE[self.kind](value, other)

    def repair(self, value: Scalar, parameter: Parameter, values: Mapping[str, Scalar]) -> Scalar:
        """Return the value of ``parameter`` nearest to ``value`` that satisfies the relation, if there is one."""
        other = self._other_side(values)
        if other is None or self.holds(value, values) or not isinstance(value, int | float):
            return value
        if self.kind is RelationKind.DERIVED_QUOTIENT:
            return int(other // self.constant)
        candidates = _neighbours(parameter, other, step=parameter.step or (1 if isinstance(value, int) else None))
        valid = [c for c in candidates if self.holds(c, values) and parameter.contains(c)]
        return min(valid, key=lambda c: abs(c - value), default=value)

    def _other_side(self, values: Mapping[str, Scalar]) -> float | None:
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


def _neighbours(parameter: Parameter, other: float, step: float | None) -> list[int | float]:
    """Return the values of ``parameter`` next to ``other``, on both sides, and its two ends."""
    if parameter.choices:
        return [c for c in parameter.choices if isinstance(c, int | float) and not isinstance(c, bool)]
    low, high = parameter.bounds
    # A float strictly beside its bound: one part in a million of the range, visible in a spec and harmless in value.
    gap = step if step is not None else max((high - low) * 1e-6, 1e-12)
    return [parameter.nearest(other + k * gap) for k in (-2, -1, 0, 1, 2)] + [
        parameter.nearest(low),
        parameter.nearest(high),
    ]
