"""Assignments near another one: instead of a duplicate, and for a trial that starts from another trial's checkpoint."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from automl.samplers.encoding import Encoder, values_of
from automl.samplers.sampler import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

_PURPOSE = 202
# Spaces up to this size are searched to their last assignment.
_ENUMERABLE = 20_000
_RESAMPLED = 0.25
_FACTORS = (0.8, 1.25)
# A checkpoint has the shape of its model: parameters of the model are inherited with it.
_SHAPE = "model."


def unseen_assignment(
    space: SearchSpace,
    wanted: Mapping[str, Scalar],
    is_seen: Callable[[Mapping[str, Scalar]], bool],
    *,
    seed: int,
    number: int,
) -> dict[str, Scalar] | None:
    """Return an assignment near the wanted one that has not been tried, or None when all have."""
    encoder = Encoder(space)
    generator = generator_for(seed, number, _PURPOSE)
    centre = encoder.points([wanted])

    def candidates() -> Iterator[dict[str, Scalar]]:
        for scale in (0.02, 0.1, 0.3, 1.0):
            yield from map(encoder.assignment, encoder.nearby(centre, 50, scale, generator))
        if space.size <= _ENUMERABLE:
            yield from every_assignment(space)
        else:
            yield from map(encoder.assignment, encoder.spread(2000, generator))

    return next((a for a in candidates() if not is_seen(a)), None)


def every_assignment(space: SearchSpace) -> Iterator[dict[str, Scalar]]:
    """Yield each distinct valid assignment of a discrete space once."""
    seen: set[tuple[tuple[str, Scalar, str], ...]] = set()
    for combination in itertools.product(*map(values_of, space.parameters)):
        assignment = space.repair(dict(zip(space.paths, combination, strict=True)))
        key = tuple((path, value, type(value).__name__) for path, value in assignment.items())
        if key not in seen:
            seen.add(key)
            yield assignment


def explore(space: SearchSpace, assignment: Mapping[str, Scalar], *, seed: int, number: int) -> dict[str, Scalar]:
    """Return a valid assignment near another one; parameters below ``model.`` stay.

    A parameter is resampled with probability 1/4; else a number is multiplied by 0.8 or 1.25, and a choice stays. The
    result depends on the seed of the study and the number of the new trial.
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
    if parameter.choices or parameter.is_beside(value) or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    scaled = parameter.nearest(1.0 - (1.0 - value) * factor if parameter.log_to_one else value * factor)
    if scaled != value or not parameter.is_integer:
        return scaled
    return parameter.nearest(value + (1 if factor > 1 else -1))  # 2 x 0.8 is 2 again
