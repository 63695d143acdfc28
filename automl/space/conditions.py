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

from automl.skill.fields import is_number
from automl.space.values import is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl.space.values import Scalar


_SHOWN_VALUES = 8


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
        """Return whether the parameter acts; an unknown parent means that it does not."""
        is_met = self.path in values and any(is_same(values[self.path], value) for value in self.any_of)
        return is_met and all(condition.holds(values) for condition in self.also)

    @property
    def parents(self) -> tuple[str, ...]:
        """Every parameter it looks at."""
        return (self.path, *(parent for condition in self.also for parent in condition.parents))

    def __str__(self) -> str:
        rest = len(self.any_of) - _SHOWN_VALUES
        shown = [str(value) for value in self.any_of[:_SHOWN_VALUES]] + ([f"and {rest} more"] if rest > 0 else [])
        own = f"{self.path} in {{{', '.join(shown)}}}"
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
        parent: Parameter path of the other side; None where the other side is ``constant``.
        constant: The other side, or the divisor of `RelationKind.DERIVED_QUOTIENT`.
        is_for_first: Trial 0 holds it too, even against the spec's own value.
    """

    path: str
    kind: RelationKind
    parent: str | None = None
    constant: float = 0.0
    is_for_first: bool = True

    def holds(self, value: Scalar, values: Mapping[str, Scalar]) -> bool:
        """Return whether ``value`` satisfies the relation; a parent without a number constrains nothing."""
        other = self.other_side(values)
        if other is None or not is_number(value):
            return True
        if self.kind is RelationKind.DERIVED_QUOTIENT:
            return value == other // self.constant
        return _COMPARE[self.kind](value, other)

    def other_side(self, values: Mapping[str, Scalar]) -> float | None:
        """Return the number that the value is compared with, or None if there is none."""
        if self.parent is None:
            return self.constant
        found = values.get(self.parent)
        return float(found) if is_number(found) and math.isfinite(found) else None

    def __str__(self) -> str:
        other = self.parent if self.parent is not None else f"{self.constant:g}"
        if self.kind is RelationKind.DERIVED_QUOTIENT:
            return f"{self.path} = {other} / {self.constant:g}"
        return f"{self.path} {self.kind.value} {other}"
