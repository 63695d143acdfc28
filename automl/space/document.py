"""The JSON form of a search space: the fields of `automl space --json` and of ``space`` in `plan.json`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import LeftOut
from automl.space.values import Scalar

if TYPE_CHECKING:
    from automl.skill.model import Skill
    from automl.space.search_space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedParameter:
    """A searched parameter; see `automl.space.parameters.Parameter`."""

    path: str
    type: ParameterType
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    log_to_one: bool = False
    step: int | float | None = None
    choices: tuple[Scalar, ...] | None = None
    beside: tuple[Scalar, ...] = ()
    derived: tuple[str, ...] = ()
    unit: str = ""
    cost: str = ""
    default: Any = None
    condition: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSpace:
    """The space of a plan, for a skill; ``relations`` hold in every trial, ``proposed`` are items for ``--search``."""

    skill: str = ""
    network_arch: str = ""
    parameters: tuple[PlannedParameter, ...]
    left_out: tuple[LeftOut, ...] = ()
    relations: tuple[str, ...] = ()
    proposed: tuple[str, ...] = ()


def describe_space(space: SearchSpace, skill: Skill) -> PlannedSpace:
    """Return the document of a space."""
    names = [field.name for field in dataclasses.fields(PlannedParameter)]
    parameters = []
    for parameter in space.parameters:
        described = {name: getattr(parameter, name) for name in names}
        described["choices"] = parameter.choices or None
        described["condition"] = str(parameter.condition) if parameter.condition else None
        parameters.append(PlannedParameter(**described))
    return PlannedSpace(
        skill=skill.name,
        network_arch=skill.network_arch,
        parameters=tuple(parameters),
        left_out=space.left_out,
        relations=tuple(map(str, space.relations)),
        proposed=space.proposed,
    )


def space_document(space: SearchSpace, skill: Skill) -> dict[str, Any]:
    """Return the JSON form of a space."""
    return dataclasses.asdict(describe_space(space, skill))


def planned_space(planned: PlannedSpace, now: SearchSpace) -> SearchSpace:
    """Return the space of a plan, where this version would search other ranges of the same skill.

    Ranges, scales and options are those of the plan; conditions, weights and how far a range may grow, which its
    document does not hold whole, are those of ``now``. Where the plan has a condition that ``now`` lacks, or what it
    says of a range cannot be, ``now`` is returned.
    """
    built = {parameter.path: parameter for parameter in now.parameters}
    names = [field.name for field in dataclasses.fields(PlannedParameter) if field.name != "condition"]
    parameters = []
    for one in planned.parameters:
        known = built.get(one.path)
        if one.condition != (str(known.condition) if known and known.condition else None):
            return now
        values = {name: getattr(one, name) for name in names} | {"choices": one.choices or ()}
        kept = known or Parameter(path=one.path, type=one.type, choices=(None,))
        same = kept.choices == values["choices"]
        values |= {"weights": kept.weights if same else (), "reach": kept.reach if one.derived else None}
        try:
            parameters.append(dataclasses.replace(kept, **values))
        except ValueError:
            return now
    return dataclasses.replace(now, parameters=tuple(parameters))
