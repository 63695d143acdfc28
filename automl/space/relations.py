"""Bind parameters to each other as ``depends_on`` asks, and keep every assignment possible.

A parent outside the space counts with its value in the spec: its child's range is cut. With a parent inside the space
the child's range is widened until it has a value under each of the parent's, as far as schema and user allow; only
beyond that the parent loses values. Parents come before children in the space; a parameter on a cycle of dependencies
is left out.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.space.conditions import Relation, RelationKind
from automl.space.feasible import limits, nearest_valid, strict_gap, within
from automl.space.search_space import LeftOut, SearchSpace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from automl.space.parameters import Parameter
    from automl.space.values import Scalar
    from automl.spec.math_cond import MathCondition
    from automl.spec.model import Spec

MIRRORED = {
    RelationKind.GREATER: RelationKind.LESS,
    RelationKind.AT_LEAST: RelationKind.AT_MOST,
    RelationKind.LESS: RelationKind.GREATER,
    RelationKind.AT_MOST: RelationKind.AT_LEAST,
}
"""How a relation reads from its other side."""


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
        # Downwards first: a range that a grandparent widened is one that the children have to follow.
        for relation in self._bound(self._in_order()):
            if relation.parent in self._parameters:
                self._widen(relation)
            else:
                self._cut(relation, relation.parent)
        for relation in self._bound(self._in_order()[::-1]):
            if (above := self._parameters.get(relation.parent or "")) is not None:
                self._meet(relation, self._parameters[relation.path], above)
        self._hold_first()
        return SearchSpace(
            parameters=tuple(self._parameters[path] for path in self._in_order()),
            left_out=tuple(self._left_out),
            relations=tuple(relation for path in self._parameters for relation in self._relations[path]),
            fixed=self._fixed,
        )

    def _bound(self, order: list[str]) -> Iterator[Relation]:
        """Yield what binds the parameters, in an order, without those that are dropped on the way."""
        for path in order:
            for relation in self._relations[path]:
                if path in self._parameters and (relation.parent or relation.kind is not RelationKind.NOT_EQUAL):
                    yield relation

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

    def _cut(self, relation: Relation, parent: str | None) -> None:
        """Cut the child's range to what its fixed parent, or a number, allows."""
        child = self._parameters[relation.path]
        number = relation.other_side(self._fixed)
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            self._drop(child.path, f"not free: {relation}, and {parent} is not searched")
        elif number is not None:
            low, high = limits(relation.kind, number, number, gap=strict_gap(child, number))
            cut = within(_widened(child, low, high), low, high)
            if cut is None:
                self._drop(child.path, f"no value satisfies {relation}, which is {number:g}")
            else:
                self._explain(cut, f"{relation}, which is {number:g}" if parent else f"{relation}")
        elif parent is not None and not self._spec.has(parent):
            self._explain(child, f"{relation} is not kept: {parent} has no value")

    def _widen(self, relation: Relation) -> None:
        """Widen the child's range to follow its parent's, as far as schema and user allow."""
        child, parent = self._parameters[relation.path], self._parameters[relation.parent or ""]
        ends = _ends(parent)
        if ends is not None and relation.kind is not RelationKind.DERIVED_QUOTIENT:
            low, high = limits(relation.kind, ends[1], ends[0], gap=child.gap if not child.choices else 0.0)
            widened = _widened(child, low, high)
            own = (r for r in self._relations[child.path] if r.kind is RelationKind.NOT_EQUAL and not r.parent)
            self._parameters[child.path] = _without_ends(widened, {r.constant for r in own})

    def _meet(self, relation: Relation, child: Parameter, parent: Parameter) -> None:
        """Let the parent's range give way where the child's cannot follow."""
        ends = _ends(parent)
        if ends is None or _ends(child) is None:
            self._drop(child.path, f"{relation} compares things that are not numbers")
            return
        lowest, highest = _ends(child) or ends
        if relation.kind is RelationKind.DERIVED_QUOTIENT:
            reach = math.ceil(lowest) * relation.constant, (math.floor(highest) + 1) * relation.constant - 1
        else:
            gap = strict_gap(parent if child.choices else child, max(abs(lowest), abs(highest)))
            reach = limits(MIRRORED.get(relation.kind, relation.kind), lowest, highest, gap=gap)
        cut = within(parent, *reach)
        if cut is None:
            self._drop(child.path, f"no value satisfies {relation} in the range of {parent.path}")
            return
        self._explain(child, str(relation))
        if _ends(cut) != ends:
            self._explain(cut, f"narrowed by {relation}")

    def _explain(self, parameter: Parameter, note: str) -> None:
        self._parameters[parameter.path] = replace(parameter, reason=f"{parameter.reason}; {note}")

    def _hold_first(self) -> None:
        """Let the first trial hold the relations where what the user set breaks them."""
        known = dict(self._fixed)
        for path in self._in_order():
            parameter = self._parameters[path]
            value = parameter.default
            if not parameter.is_beside(value):
                held = [relation for relation in self._relations[path] if relation.is_for_first]
                value = nearest_valid(parameter, value, held, known)
                known[path] = value
            if value != parameter.default:
                note = f"first {value} instead of {parameter.default}"
                self._explain(replace(parameter, default=value), note)


def _widened(parameter: Parameter, low: float, high: float) -> Parameter:
    """Return a parameter whose range reaches [low, high] as far as its schema and the user allow."""
    if parameter.choices:
        return parameter
    (own_low, own_high), step = parameter.bounds, parameter.step or 1
    lowest, highest = parameter.reach or parameter.bounds
    wanted_high = max(own_high, low) if math.isfinite(low) else own_high
    wanted_low = min(own_low, high) if math.isfinite(high) else own_low
    wanted_low, wanted_high = max(wanted_low, lowest), min(wanted_high, highest)
    if parameter.step is not None or parameter.is_integer:
        wanted_high = own_high + max(math.ceil((wanted_high - own_high) / step - 1e-9), 0) * step
        wanted_low = own_low - max(math.ceil((own_low - wanted_low) / step - 1e-9), 0) * step
        wanted_high -= step if wanted_high > highest else 0
        wanted_low += step if wanted_low < lowest else 0
    if parameter.log and wanted_low <= 0:
        wanted_low = own_low
    return replace(parameter, low=min(wanted_low, own_low), high=max(wanted_high, own_high))


def _without_ends(parameter: Parameter, excluded: Collection[float]) -> Parameter:
    """Return a parameter of whole steps without an end that it may not have: its parents follow its ends."""
    if parameter.choices or not (parameter.step is not None or parameter.is_integer):
        return parameter
    (low, high), step = parameter.bounds, parameter.step or 1
    return replace(parameter, low=low + step * (low in excluded), high=high - step * (high in excluded))


def _ends(parameter: Parameter) -> tuple[float, float] | None:
    if not parameter.choices:
        return parameter.bounds
    numbers = [choice for choice in parameter.choices if is_number(choice)]
    return (min(numbers), max(numbers)) if len(numbers) == len(parameter.choices) else None
