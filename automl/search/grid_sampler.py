"""Grid search: every combination of a few values per parameter, in an order that covers the space early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.search.sampler import Draw, Sampler, generator_for
from automl.search.unseen import every_assignment

if TYPE_CHECKING:
    from automl.search.history import History
    from automl.space.parameters import Scalar, SearchSpace

_PURPOSE = 303


class GridSampler(Sampler):
    """Tries each point of the grid once, in an order shuffled by the seed.

    Args:
        space: What is searched.
        seed: Seed of the order.
        resolution: Values of a continuous range.
    """

    def __init__(self, space: SearchSpace, seed: int, *, resolution: int = 5) -> None:
        points = list(every_assignment(space, resolution))
        order = generator_for(seed, 0, _PURPOSE).permutation(len(points))
        self._points: tuple[dict[str, Scalar], ...] = tuple(points[i] for i in order)

    def propose(self, history: History, number: int) -> Draw | None:
        """Return the first grid point that has not been tried, or None after the last."""
        del number
        tried = [dict(o.assignment) for o in history.observations]
        point = next((p for p in self._points if p not in tried), None)
        return None if point is None else Draw(assignment=point, origin="grid")
