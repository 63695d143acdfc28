"""Bind parameters to each other as ``depends_on`` asks, and keep every assignment possible.

A parent outside the space counts with its value in the spec: its child's range is cut. A parent inside the space loses
the values under which its child would have none. Parents come before children in the space; a parameter on a cycle of
dependencies is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.space.conditions import Relation, RelationKind
from automl.space.parameters import LeftOut, Parameter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from automl.space.values import Scalar
    from automl.spec.math_cond import MathCondition
    from automl.spec.model import Spec

_KINDS = {kind.value: kind for kind in RelationKind if kind is not RelationKind.DERIVED_QUOTIENT}
_FLOORS = {RelationKind.GREATER, RelationKind.AT_LEAST}
_CEILINGS = {RelationKind.LESS, RelationKind.AT_MOST}


def relations_of(path: str, condition: MathCondition | None, parents: Collection[str]) -> list[Relation]:
    """Return what a parameter's ``math_cond`` and ``depends_on`` ask that a range alone cannot say."""
    if condition is None:
        return []
    found = []
    if condition.quotient_of is not None:
        found += [
            Relation(path=path, kind=RelationKind.DERIVED_QUOTIENT, parent=parent, constant=condition.quotient_of)
            for parent in parents
        ]
    for comparison in condition.comparisons:
        kind = _KINDS[comparison.operator]
        if comparison.constant is None:
            found += [Relation(path=path, kind=kind, parent=parent) for parent in parents]
        elif kind is RelationKind.NOT_EQUAL:
            found.append(Relation(path=path, kind=kind, constant=comparison.constant))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Parameters whose relations every assignment of the parents can satisfy.

    Attributes:
        parameters: Path -> parameter, every parent before its children.
        relations: What binds them.
        fixed: Values of the spec that conditions and relations refer to.
        left_out: What has no value left, or depends on itself.
    """

    parameters: Mapping[str, Parameter]
    relations: tuple[Relation, ...]
    fixed: Mapping[str, Scalar]
    left_out: tuple[LeftOut, ...]


def bind(parameters: Mapping[str, Parameter], relations: Collection[Relation], spec: Spec) -> Bound:
    """Cut ranges until every relation can be satisfied by every assignment of the parents.

    Args:
        parameters: Path -> parameter, before cutting.
        relations: What binds them.
        spec: Values of the parents outside the space.
    """
    return _Binder(parameters, relations, spec).bind()


class _Binder:
    def __init__(self, parameters: Mapping[str, Parameter], relations: Collection[Relation], spec: Spec) -> None:
        self._parameters = dict(parameters)
        self._relations = [relation for relation in relations if relation.path in self._parameters]
        self._fixed: dict[str, Scalar] = {}
        self._left_out: list[LeftOut] = []
        self._spec = spec

    def bind(self) -> Bound:
        self._remember_fixed()
        for path in self._in_order()[::-1]:
            for relation in [r for r in self._relations if r.path == path]:
                if path in self._parameters and relation.parent is not None:
                    self._cut(relation, relation.parent)
        return Bound(
            parameters={path: self._parameters[path] for path in self._in_order()},
            relations=tuple(relation for relation in self._relations if relation.path in self._parameters),
            fixed=self._fixed,
            left_out=tuple(self._left_out),
        )

    def _in_order(self) -> list[str]:
        """Return the paths with every parent before its children; those on a cycle are left out."""
        ordered: list[str] = []
        waiting = list(self._parameters)
        while waiting:
            ready = [path for path in waiting if not any(parent in waiting for parent in self._parents(path))]
            if not ready:
                for path in waiting:
                    self._drop(path, f"its dependencies form a cycle: {', '.join(self._parents(path))}")
                break
            ordered += ready
            waiting = [path for path in waiting if path not in ready]
        return ordered

    def _drop(self, path: str, reason: str) -> None:
        """Leave a parameter out, with everything that binds it."""
        del self._parameters[path]
        self._left_out.append(LeftOut(path=path, reason=reason))
        self._relations = [relation for relation in self._relations if relation.path != path]
        if self._spec.has(path):
            self._fixed[path] = self._value(path)

    def _parents(self, path: str) -> list[str]:
        bound = [relation.parent for relation in self._relations if relation.path == path and relation.parent]
        condition = self._parameters[path].condition
        return [*bound, *(condition.parents if condition is not None else ())]

    def _remember_fixed(self) -> None:
        for path in list(self._parameters):
            for parent in self._parents(path):
                if parent not in self._parameters and self._spec.has(parent):
                    self._fixed[parent] = self._value(parent)

    def _value(self, path: str) -> Scalar:
        value = self._spec.get(path)
        return None if isinstance(value, dict | list) else value

    def _cut(self, relation: Relation, parent: str) -> None:
        if parent in self._parameters:
            self._cut_parent(relation, parent)
            return
        number = relation.other_side(self._fixed)
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            self._drop(relation.path, f"not free: {relation}, and {parent} is not searched")
        elif number is not None:
            self._cut_child(relation, number)
        elif not self._spec.has(parent):
            child = self._parameters[relation.path]
            note = f"; {relation} is not kept: {parent} has no value"
            self._parameters[relation.path] = replace(child, reason=child.reason + note)

    def _cut_child(self, relation: Relation, number: float) -> None:
        child = self._parameters[relation.path]
        cut = _within(child, *_limits(relation.kind, number, child))
        if cut is None:
            self._drop(relation.path, f"no value satisfies {relation}, which is {number:g}")
        else:
            note = f"; {relation}, which is {number:g}"
            self._parameters[relation.path] = replace(cut, reason=child.reason + note)

    def _cut_parent(self, relation: Relation, path: str) -> None:
        child, parent = self._parameters[relation.path], self._parameters[path]
        ends = _ends(child)
        if ends is None or _ends(parent) is None:
            self._drop(relation.path, f"{relation} compares things that are not numbers")
            return
        low, high = ends
        gap = 0.0 if child.choices else _strict_gap(child)
        limits: tuple[float, float]
        if relation.kind in _FLOORS:
            limits = (-math.inf, high - (gap if relation.kind is RelationKind.GREATER else 0.0))
        elif relation.kind in _CEILINGS:
            limits = (low + (gap if relation.kind is RelationKind.LESS else 0.0), math.inf)
        elif relation.kind is RelationKind.DERIVED_QUOTIENT:
            limits = (low * relation.constant, high * relation.constant + relation.constant - 1)
        else:
            limits = (-math.inf, math.inf)
        is_strict_option = bool(child.choices) and relation.kind in {RelationKind.GREATER, RelationKind.LESS}
        cut = _within(parent, *limits, is_open=is_strict_option)
        if cut is None:
            self._drop(relation.path, f"no value satisfies {relation} in the range of {path}")
        else:
            self._parameters[path] = cut


def _strict_gap(parameter: Parameter) -> float:
    """Return how far a strict comparison keeps away: less than a step on a grid, whose next point is then taken."""
    is_grid = parameter.step is not None or parameter.is_integer
    return parameter.gap * (1e-6 if is_grid else 1.0)


def _limits(kind: RelationKind, number: float, child: Parameter) -> tuple[float, float]:
    gap = 0.0 if child.choices else _strict_gap(child)
    match kind:
        case RelationKind.GREATER:
            return (math.nextafter(number, math.inf) if child.choices else number + gap), math.inf
        case RelationKind.AT_LEAST:
            return number, math.inf
        case RelationKind.LESS:
            return -math.inf, (math.nextafter(number, -math.inf) if child.choices else number - gap)
        case RelationKind.AT_MOST:
            return -math.inf, number
        case RelationKind.NOT_EQUAL | RelationKind.DERIVED_QUOTIENT:
            return -math.inf, math.inf


def _ends(parameter: Parameter) -> tuple[float, float] | None:
    if not parameter.choices:
        return parameter.bounds
    numbers = [c for c in parameter.choices if isinstance(c, int | float) and not isinstance(c, bool)]
    return (min(numbers), max(numbers)) if numbers and len(numbers) == len(parameter.choices) else None


def _within(parameter: Parameter, low: float, high: float, *, is_open: bool = False) -> Parameter | None:
    """Return the parameter cut to [low, high], or None if nothing is left."""
    if parameter.choices:
        return _options_within(parameter, low, high, is_open=is_open)
    own_low, own_high = parameter.bounds
    first, last = max(own_low, low), min(own_high, high)
    if parameter.step is not None or parameter.is_integer:
        # The grid is counted from the own lower end.
        step = parameter.step or 1
        first = own_low + math.ceil((first - own_low) / step - 1e-9) * step
        last = own_low + math.floor((last - own_low) / step + 1e-9) * step
    return replace(parameter, low=first, high=last) if first <= last else None


def _options_within(parameter: Parameter, low: float, high: float, *, is_open: bool) -> Parameter | None:
    weights = parameter.weights or (1.0,) * len(parameter.choices)
    kept = [
        (choice, weight)
        for choice, weight in zip(parameter.choices, weights, strict=True)
        if isinstance(choice, int | float) and (low < choice < high if is_open else low <= choice <= high)
    ]
    if not kept:
        return None
    choices, shares = zip(*kept, strict=True)
    return replace(parameter, choices=choices, weights=shares if parameter.weights else ())
