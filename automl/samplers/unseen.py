"""The assignment to try instead of one that was tried before."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.acquisition import nearby_candidates
from automl.samplers.sampler import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from automl.space.parameters import SearchSpace
    from automl.space.values import Scalar

_PURPOSE = 202
# Spaces up to this size are searched to their last assignment.
_ENUMERABLE = 20_000
# A grid over a space of this size has every value.
_SMALL_GRID = 200


def unseen_assignment(
    space: SearchSpace,
    wanted: Mapping[str, Scalar],
    is_seen: Callable[[Mapping[str, Scalar]], bool],
    *,
    seed: int,
    number: int,
) -> dict[str, Scalar] | None:
    """Return an assignment near the wanted one that has not been tried, or None when all have.

    Args:
        space: What is searched.
        wanted: The duplicate.
        is_seen: True for an assignment that was tried.
        seed: Seed of the study.
        number: The trial's number.
    """
    encoder = Encoder(space)
    generator = generator_for(seed, number, _PURPOSE)
    centre = encoder.points([wanted])
    for scale in (0.02, 0.1, 0.3, 1.0):
        for point in nearby_candidates(encoder, centre, 50, scale, generator):
            assignment = encoder.assignment(point)
            if not is_seen(assignment):
                return assignment
    if space.size <= _ENUMERABLE:
        return next((a for a in every_assignment(space) if not is_seen(a)), None)
    spread = (encoder.assignment(point) for point in encoder.snap(generator.random((2000, encoder.dimensions))))
    return next((a for a in spread if not is_seen(a)), None)


def every_assignment(space: SearchSpace) -> Iterator[dict[str, Scalar]]:
    """Yield each distinct valid assignment of a discrete space once."""
    axes = [axis_values(space, i) for i in range(len(space.parameters))]
    seen: set[tuple[tuple[str, Scalar, str], ...]] = set()
    for combination in itertools.product(*axes):
        assignment = space.repair(dict(zip(space.paths, combination, strict=True)))
        key = tuple((path, value, type(value).__name__) for path, value in assignment.items())
        if key not in seen:
            seen.add(key)
            yield assignment


def axis_values(space: SearchSpace, index: int, resolution: int | None = None) -> tuple[Scalar, ...]:
    """Return the values of one parameter, both ends of its range included.

    Args:
        space: What is searched.
        index: Which parameter.
        resolution: At most so many values of a numeric range, evenly spaced; None for all, which a continuous range
            does not have. In a small space nothing is left out.
    """
    parameter = space.parameters[index]
    if parameter.choices:
        return parameter.choices
    if resolution is None or parameter.size <= resolution or space.size <= _SMALL_GRID:
        low, _ = parameter.bounds
        step = parameter.step or 1
        return tuple(dict.fromkeys(parameter.nearest(low + k * step) for k in range(int(parameter.size))))
    positions = np.linspace(0.0, 1.0, resolution)
    return tuple(dict.fromkeys(parameter.from_unit(float(position)) for position in positions))
