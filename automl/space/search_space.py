"""The search space: its parameters, the relations between them, and which assignments are valid.

What comes into a space and why is decided in `automl.space.build`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.space.feasible import nearest_valid, spread_valid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.conditions import Relation
    from automl.space.parameters import Parameter
    from automl.space.values import Scalar


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
        proposed: Items for ``--search`` that an expert would add where little is searched.
        relations: Constraints between parameters, or between a parameter and a fixed value of the spec.
        fixed: Values of the spec that conditions and relations refer to: parameter path -> value.
    """

    parameters: tuple[Parameter, ...]
    left_out: tuple[LeftOut, ...] = ()
    proposed: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    fixed: Mapping[str, Scalar]

    def __getitem__(self, path: str) -> Parameter:
        found = next((parameter for parameter in self.parameters if parameter.path == path), None)
        if found is None:
            raise KeyError(path)
        return found

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
        values: dict[str, Scalar] = {}
        for parameter in self.parameters:
            if parameter.acts({**self.fixed, **values}):
                values[parameter.path] = parameter.default
        return values

    def is_active(self, path: str, values: Mapping[str, Scalar]) -> bool:
        """Return whether a parameter acts, given the values of the others."""
        return self[path].acts({**self.fixed, **values})

    def from_unit(self, positions: Mapping[str, float]) -> dict[str, Scalar]:
        """Turn positions in [0, 1], one for each parameter, into a valid assignment (inactive ones are dropped)."""
        return self._settled({p.path: p.from_unit(positions[p.path]) for p in self.parameters}, positions)

    def to_unit(self, assignment: Mapping[str, Scalar]) -> dict[str, float]:
        """Return the position of every parameter; an inactive one stands at its default."""
        return {p.path: p.to_unit(assignment.get(p.path, p.default)) for p in self.parameters}

    def repair(self, assignment: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the nearest valid assignment: values inside ranges, relations satisfied, inactive parameters dropped.

        The spec's values of parameters that the assignment lacks are their defaults.
        """
        return self._settled(assignment)

    def spread(self, assignment: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return an assignment that was drawn made valid: values that relations forbid are spread over the others."""
        return self._settled(assignment, self.to_unit(assignment))

    def _settled(
        self, assignment: Mapping[str, Scalar], positions: Mapping[str, float] | None = None
    ) -> dict[str, Scalar]:
        values: dict[str, Scalar] = {}
        known, numbers = dict(self.fixed), dict(self.fixed)
        for parameter in self.parameters:
            path = parameter.path
            if not parameter.acts(known):
                continue
            value = assignment.get(path, parameter.default)
            if not parameter.contains(value):
                value = parameter.from_unit(parameter.to_unit(value))
            bound_by = [relation for relation in self.relations if relation.path == path]
            is_beside = parameter.is_beside(value)
            if bound_by and not is_beside:
                value = (
                    nearest_valid(parameter, value, bound_by, numbers)
                    if positions is None
                    else spread_valid(parameter, value, positions[path], bound_by, numbers)
                )
            values[path] = known[path] = value
            numbers[path] = None if is_beside else value
        return values

    def violations(self, assignment: Mapping[str, Scalar]) -> tuple[str, ...]:
        """Return everything that makes an assignment invalid; empty when it is valid."""
        searched = set(self.paths)
        found = [f"{path} is not searched" for path in assignment if path not in searched]
        known, numbers = dict(self.fixed), dict(self.fixed)
        for parameter in self.parameters:
            path = parameter.path
            if path not in assignment:
                found += [f"{path} has no value"] if parameter.acts(known) else []
            elif not parameter.acts(known):
                found.append(f"{path} does not act here")
            else:
                known[path] = assignment[path]
                numbers[path] = None if parameter.is_beside(known[path]) else known[path]
                found += [] if parameter.contains(known[path]) else [f"{path} cannot be {known[path]!r}"]
        acting = [relation for relation in self.relations if relation.path in searched and relation.path in known]
        found += [str(relation) for relation in acting if not relation.holds(numbers[relation.path], numbers)]
        return tuple(found)
