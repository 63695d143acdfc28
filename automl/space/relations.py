"""Bind parameters to each other as ``depends_on`` asks, and keep every assignment possible.

A parent outside the space counts with its value in the spec: its child's range is cut. A parent inside the space loses
the values under which its child would have none. Parents come before children in the space; a parameter on a cycle of
dependencies is left out.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.space.conditions import Relation, RelationKind
from automl.space.parameters import LeftOut, Parameter, SearchSpace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from automl.space.values import Scalar
    from automl.spec.math_cond import MathCondition
    from automl.spec.model import Spec

_MIRRORED = {
    RelationKind.GREATER: RelationKind.LESS,
    RelationKind.AT_LEAST: RelationKind.AT_MOST,
    RelationKind.LESS: RelationKind.GREATER,
    RelationKind.AT_MOST: RelationKind.AT_LEAST,
}


def relations_of(path: str, condition: MathCondition | None, parents: Collection[str]) -> list[Relation]:
    """Return what a parameter's ``math_cond`` and ``depends_on`` ask that a range alone cannot say."""
    if condition is None:
        return []
    found = []
    if condition.quotient_of is not None:
        kind, divisor = RelationKind.DERIVED_QUOTIENT, condition.quotient_of
        found += [Relation(path=path, kind=kind, parent=parent, constant=divisor) for parent in parents]
    for comparison in condition.comparisons:
        kind = RelationKind(comparison.operator)
        if comparison.constant is None:
            found += [Relation(path=path, kind=kind, parent=parent) for parent in parents]
        elif kind is RelationKind.NOT_EQUAL:
            found.append(Relation(path=path, kind=kind, constant=comparison.constant))
    return found


def bind(parameters: Mapping[str, Parameter], relations: Collection[Relation], spec: Spec) -> SearchSpace:
    """Cut ranges until every relation can be satisfied by every assignment of the parents.

    Parents outside the space have their values of the spec. What has no value left, or depends on itself, is left out.
    """
    return _Binder(parameters, relations, spec).bind()


class _Binder:
    def __init__(self, parameters: Mapping[str, Parameter], relations: Collection[Relation], spec: Spec) -> None:
        self._parameters = dict(parameters)
        self._relations: dict[str, list[Relation]] = {path: [] for path in parameters}
        for relation in relations:
            self._relations.get(relation.path, []).append(relation)
        self._fixed: dict[str, Scalar] = {}
        self._left_out: list[LeftOut] = []
        self._spec = spec

    def bind(self) -> SearchSpace:
        for path in self._parameters:
            for parent in self._parents(path):
                if parent not in self._parameters:
                    self._fix(parent)
        for path in self._in_order()[::-1]:
            for relation in self._relations[path]:
                if path in self._parameters and relation.parent is not None:
                    self._cut(relation, relation.parent)
        return SearchSpace(
            parameters=tuple(self._parameters[path] for path in self._in_order()),
            left_out=tuple(self._left_out),
            relations=tuple(relation for path in self._parameters for relation in self._relations[path]),
            fixed=self._fixed,
        )

    def _in_order(self) -> list[str]:
        """Return the paths with every parent before its children; those on a cycle are left out."""
        sorter = TopologicalSorter(
            {
                path: [parent for parent in self._parents(path) if parent in self._parameters]
                for path in self._parameters
            }
        )
        with contextlib.suppress(CycleError):
            sorter.prepare()
        places = {path: place for place, path in enumerate(self._parameters)}
        ordered: list[str] = []
        while ready := sorted(sorter.get_ready(), key=places.__getitem__):
            ordered += ready
            sorter.done(*ready)
        is_ordered = set(ordered)
        for path in [path for path in places if path not in is_ordered]:
            self._drop(path, f"its dependencies form a cycle: {', '.join(self._parents(path))}")
        return ordered

    def _parents(self, path: str) -> list[str]:
        bound = [relation.parent for relation in self._relations[path] if relation.parent]
        condition = self._parameters[path].condition
        return [*bound, *(condition.parents if condition is not None else ())]

    def _drop(self, path: str, reason: str) -> None:
        """Leave a parameter out, with everything that binds it."""
        del self._parameters[path]
        self._left_out.append(LeftOut(path=path, reason=reason))
        self._fix(path)

    def _fix(self, path: str) -> None:
        if self._spec.has(path):
            value = self._spec.get(path)
            self._fixed[path] = None if isinstance(value, dict | list) else value

    def _cut(self, relation: Relation, parent: str) -> None:
        """Cut the child's range, or that of a parent inside the space."""
        child = self._parameters[relation.path]
        if parent in self._parameters:
            self._cut_parent(relation, child, self._parameters[parent])
            return
        number = relation.other_side(self._fixed)
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            self._drop(child.path, f"not free: {relation}, and {parent} is not searched")
        elif number is not None:
            cut = _within(child, *_limits(relation.kind, number, number, gap=_strict_gap(child, number)))
            if cut is None:
                self._drop(child.path, f"no value satisfies {relation}, which is {number:g}")
            else:
                note = f"; {relation}, which is {number:g}"
                self._parameters[child.path] = replace(cut, reason=child.reason + note)
        elif not self._spec.has(parent):
            note = f"; {relation} is not kept: {parent} has no value"
            self._parameters[child.path] = replace(child, reason=child.reason + note)

    def _cut_parent(self, relation: Relation, child: Parameter, parent: Parameter) -> None:
        ends = _ends(child)
        if ends is None or _ends(parent) is None:
            self._drop(child.path, f"{relation} compares things that are not numbers")
            return
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            limits = math.ceil(ends[0]) * relation.constant, (math.floor(ends[1]) + 1) * relation.constant - 1
        else:
            gap = _strict_gap(parent if child.choices else child, max(map(abs, ends)))
            limits = _limits(_MIRRORED.get(relation.kind, relation.kind), *ends, gap=gap)
        cut = _within(parent, *limits)
        if cut is None:
            self._drop(child.path, f"no value satisfies {relation} in the range of {parent.path}")
        else:
            self._parameters[parent.path] = cut


def _strict_gap(parameter: Parameter, number: float) -> float:
    """Return how far a strict comparison keeps away from a number.

    On a grid that is less than a step, and among options next to nothing: the next one is then taken.
    """
    if parameter.choices:
        return math.ulp(number)
    is_grid = parameter.step is not None or parameter.is_integer
    return parameter.gap * (1e-6 if is_grid else 1.0)


def _limits(kind: RelationKind, low: float, high: float, *, gap: float) -> tuple[float, float]:
    """Return the range of what has the relation to a number in [low, high]."""
    limits = {
        RelationKind.GREATER: (low + gap, math.inf),
        RelationKind.AT_LEAST: (low, math.inf),
        RelationKind.LESS: (-math.inf, high - gap),
        RelationKind.AT_MOST: (-math.inf, high),
    }
    return limits.get(kind, (-math.inf, math.inf))


def _ends(parameter: Parameter) -> tuple[float, float] | None:
    if not parameter.choices:
        return parameter.bounds
    numbers = [choice for choice in parameter.choices if is_number(choice)]
    return (min(numbers), max(numbers)) if len(numbers) == len(parameter.choices) else None


def _within(parameter: Parameter, low: float, high: float) -> Parameter | None:
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
