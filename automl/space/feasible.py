"""Values of a parameter that relations allow: the nearest one, or one at the same place among them.

A value drawn where nothing is allowed is moved to the allowed part in proportion, so values stay as evenly spread there
as they were drawn, and none gathers at the edge.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.space.conditions import RelationKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.space.conditions import Relation
    from automl.space.parameters import Parameter
    from automl.space.values import Scalar


def nearest_valid(
    parameter: Parameter, value: Scalar, relations: Sequence[Relation], values: Mapping[str, Scalar]
) -> Scalar:
    """Return the value nearest to ``value`` that satisfies every relation.

    ``value`` itself comes back if it is valid, or if no value is: then the assignment violates a relation, and
    `SearchSpace.violations` says so.
    """
    if is_valid(value, relations, values):
        return value
    for relation in relations:
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            parent = relation.other_side(values)
            return value if parent is None else int(parent // relation.constant)
    others = [other for relation in relations if (other := relation.other_side(values)) is not None]
    candidates = [c for c in _candidates(parameter, others) if is_valid(c, relations, values)]
    position = parameter.to_unit(value)
    return min(candidates, key=lambda c: abs(parameter.to_unit(c) - position), default=value)


def spread_valid(
    parameter: Parameter, value: Scalar, position: float, relations: Sequence[Relation], values: Mapping[str, Scalar]
) -> Scalar:
    """Return the value if it is valid, else the valid one at the place that its position has among the others."""
    if is_valid(value, relations, values):
        return value
    allowed = _allowed(parameter, relations, values)
    if allowed is None or any(relation.kind is RelationKind.DERIVED_QUOTIENT for relation in relations):
        return nearest_valid(parameter, value, relations, values)
    first, last = (parameter.to_unit(end) for end in (allowed.from_unit(allowed.beside_share), allowed.from_unit(1.0)))
    own = parameter.beside_share
    below, above = first - own, 1.0 - last
    place = position - own if position < first else below + position - last
    share = allowed.beside_share
    found = allowed.from_unit(share + (1.0 - share) * min(max(place / ((below + above) or 1.0), 0.0), 1.0))
    return found if is_valid(found, relations, values) else nearest_valid(parameter, value, relations, values)


def is_valid(value: Scalar, relations: Sequence[Relation], values: Mapping[str, Scalar]) -> bool:
    """Return whether a value satisfies every relation; on and off are no numbers."""
    return isinstance(value, bool) or all(relation.holds(value, values) for relation in relations)


def _allowed(parameter: Parameter, relations: Sequence[Relation], values: Mapping[str, Scalar]) -> Parameter | None:
    """Return the parameter cut to what the relations allow; None if nothing is left."""
    cut: Parameter | None = parameter
    for relation in relations:
        other = relation.other_side(values)
        if cut is not None and other is not None:
            cut = within(cut, *limits(relation.kind, other, other, gap=strict_gap(parameter, other)))
    return cut


def _candidates(parameter: Parameter, others: Sequence[float]) -> list[int | float]:
    """Return the values at which a valid part of the range can begin or end."""
    if parameter.choices:
        return [choice for choice in parameter.choices if is_number(choice)]
    steps = (-2, -1, 0, 1, 2)
    beside = [parameter.nearest(other + count * parameter.gap) for other in others for count in steps]
    return [*beside, parameter.nearest(parameter.bounds[0]), parameter.nearest(parameter.bounds[1])]


def strict_gap(parameter: Parameter, number: float) -> float:
    """Return how far a strict comparison keeps away from a number.

    On a grid that is less than a step, and among options next to nothing: the next one is then taken.
    """
    if parameter.choices:
        return math.ulp(number)
    is_grid = parameter.step is not None or parameter.is_integer
    return parameter.gap * (1e-6 if is_grid else 1.0)


def limits(kind: RelationKind, low: float, high: float, *, gap: float) -> tuple[float, float]:
    """Return the range of what has the relation to a number in [low, high]."""
    found = {
        RelationKind.GREATER: (low + gap, math.inf),
        RelationKind.AT_LEAST: (low, math.inf),
        RelationKind.LESS: (-math.inf, high - gap),
        RelationKind.AT_MOST: (-math.inf, high),
    }
    return found.get(kind, (-math.inf, math.inf))


def within(parameter: Parameter, low: float, high: float) -> Parameter | None:
    """Return the parameter cut to [low, high], or None if nothing is left."""
    if parameter.choices:
        kept = [i for i, c in enumerate(parameter.choices) if isinstance(c, int | float) and low <= c <= high]
        choices = tuple(parameter.choices[index] for index in kept)
        weights = tuple(parameter.weights[index] for index in kept) if parameter.weights else ()
        return replace(parameter, choices=choices, weights=weights) if kept else None
    own_low, own_high = parameter.bounds
    first, last = max(own_low, low), min(own_high, high)
    if parameter.step is not None or parameter.is_integer:
        # The grid is counted from the own lower end.
        step = parameter.step or 1
        first = own_low + math.ceil((first - own_low) / step - 1e-9) * step
        last = own_low + math.floor((last - own_low) / step + 1e-9) * step
    return replace(parameter, low=first, high=last) if first <= last else None
