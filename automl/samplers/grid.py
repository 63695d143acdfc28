"""Grid search: every combination of a few values per parameter, in an order that covers the space early.

The grid is never held in memory: its points are numbered, and the numbers are visited with a stride that shares no
divisor with their count, near the golden section of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import values_of
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.samplers.history import History
    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

_PURPOSE = 303
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
# A grid over a space of this size has every value.
_SMALL = 200


class GridSampler(Sampler):
    """Tries each point of the grid once.

    Args:
        space: What is searched.
        seed: Decides where the visit begins.
        resolution: Values of a range that has more than that, evenly spaced, with both ends; half a step is kept from
            an end that was derived, which is no fact.
    """

    def __init__(self, space: SearchSpace, seed: int, *, resolution: int = 5) -> None:
        super().__init__(space, seed)
        self._axes = tuple(
            values_of(parameter)
            if parameter.choices or parameter.size <= resolution or space.size <= _SMALL
            else _axis(parameter, resolution)
            for parameter in space.parameters
        )
        self._size = math.prod(len(axis) for axis in self._axes)
        self._first = int(generator_for(seed, 0, _PURPOSE).integers(self._size))

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the first grid point that has not been tried, or None after the last."""
        del number
        tried = [dict(o.assignment) for o in history.observations]
        point = next((p for p in self._points() if p not in tried), None)
        return None if point is None else Candidate(point, Origin(OriginKind.GRID))

    def _points(self) -> Iterator[dict[str, Scalar]]:
        stride = max(round(self._size * _GOLDEN), 1)
        while math.gcd(stride, self._size) != 1:
            stride += 1
        for visit in range(self._size):
            index = (self._first + visit * stride) % self._size
            values: dict[str, Scalar] = {}
            for path, axis in zip(self._space.paths, self._axes, strict=True):
                index, position = divmod(index, len(axis))
                values[path] = axis[position]
            yield self._space.repair(values)


def _axis(parameter: Parameter, resolution: int) -> tuple[Scalar, ...]:
    """Return the values of a range on the grid, after those beside it."""
    first, last = (0.5 if end in parameter.derived else 0.0 for end in ("low", "high"))
    steps = (np.arange(resolution) + first) / (resolution - 1 + first + last)
    share = parameter.beside_share
    inside = (parameter.from_unit(share + (1.0 - share) * step) for step in steps.tolist())
    return tuple(dict.fromkeys([*parameter.beside, *inside]))
