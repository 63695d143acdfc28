"""Perturb an assignment, for a trial that starts from another trial's checkpoint."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.parameters import Parameter, SearchSpace
    from automl.space.values import Scalar

_RESAMPLED = 0.25
_FACTORS = (0.8, 1.25)
# A checkpoint has the shape of its model: parameters of the model are inherited with it.
_SHAPE = "model."


def explore(space: SearchSpace, assignment: Mapping[str, Scalar], *, seed: int, number: int) -> dict[str, Scalar]:
    """Return a valid assignment near another one; parameters below ``model.`` stay.

    A parameter is resampled with probability 1/4; else a number is multiplied by 0.8 or 1.25, and a choice stays.

    Args:
        space: What is searched; the result satisfies its conditions and relations.
        assignment: That of the parent.
        seed: Seed of the study.
        number: The new trial's number.
    """
    source = random.Random(f"{seed}/{number}")  # noqa: S311 # no secret
    changed: dict[str, Scalar] = {}
    for parameter in space.parameters:
        # Drawn for every parameter, so that one more or less changes nothing for the others.
        kind, position, factor = source.random(), source.random(), source.choice(_FACTORS)
        value = assignment.get(parameter.path, parameter.default)
        if parameter.path.startswith(_SHAPE):
            changed[parameter.path] = value
        elif kind < _RESAMPLED:
            changed[parameter.path] = parameter.from_unit(position)
        else:
            changed[parameter.path] = _scaled(parameter, value, factor)
    return space.repair(changed)


def _scaled(parameter: Parameter, value: Scalar, factor: float) -> Scalar:
    if parameter.choices or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    scaled = parameter.nearest(value * factor)
    if scaled != value or not parameter.is_integer:
        return scaled
    return parameter.nearest(value + (1 if factor > 1 else -1))  # 2 x 0.8 is 2 again
