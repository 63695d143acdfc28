"""Samplers that fit no model: independent random draws, a scrambled Sobol sequence, and the start of other samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

SOBOL_PURPOSE = 101
_OWN = {OriginKind.PRIOR, OriginKind.SOBOL}
_NEAR_TEMPLATE = 2
_SPREAD_OF_PRIOR = 0.25


class RandomSampler(Sampler):
    """Draws each parameter independently, on the scale of its range and with the weights of its choices."""

    def propose(self, history: History, number: int) -> Candidate:
        """Return a random assignment; the history is not read."""
        del history
        positions = generator_for(self._seed, number).random(len(self._space.parameters))
        return Candidate(
            assignment=self._space.from_unit(by_path(self._space, positions)), origin=Origin(OriginKind.RANDOM)
        )


class SobolSampler(Sampler):
    """Point ``number`` of a scrambled Sobol sequence: evenly spread whatever the number of trials."""

    def propose(self, history: History, number: int) -> Candidate:
        """Return the next point of the sequence; the history is not read."""
        del history
        point = sobol_points(len(self._space.parameters), number + 1, self._seed)[number]
        return Candidate(assignment=self._space.from_unit(by_path(self._space, point)), origin=Origin(OriginKind.SOBOL))


class InitialDesign(Sampler):
    """The first trials after the given ones: near the template, then spread over the space.

    Args:
        space: What is searched.
        seed: Seed of the study.
        near: How many draws around the template come before the spread ones.
    """

    def __init__(self, space: SearchSpace, seed: int, *, near: int = _NEAR_TEMPLATE) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)
        self._near = near

    def propose(self, history: History, number: int) -> Candidate:
        """Return a draw near the template for the first few trials, a Sobol point afterwards."""
        own = sum(o.origin.kind in _OWN for o in history.observations)
        if own < self._near:
            step = generator_for(self._seed, number).normal(0.0, _SPREAD_OF_PRIOR, self._encoder.dimensions)
            point = self._encoder.snap((self._encoder.default_point + step)[None, :])[0]
            return Candidate(assignment=self._encoder.assignment(point), origin=Origin(OriginKind.PRIOR))
        index = own - self._near
        points = sobol_points(self._encoder.dimensions, index + 1, self._seed)
        point = self._encoder.snap(np.array(points[index : index + 1]))[0]
        return Candidate(assignment=self._encoder.assignment(point), origin=Origin(OriginKind.SOBOL))


def sobol_points(dimensions: int, count: int, seed: int) -> np.ndarray:
    """Return the first ``count`` points of a scrambled Sobol sequence, shape (count, dimensions), in [0, 1).

    Raises:
        ValueError: more than 21201 dimensions.
    """
    from scipy.stats import qmc  # noqa: PLC0415 - scipy.stats takes 0.5 s to import; only samplers that run need it

    if dimensions == 0:
        return np.empty((count, 0))
    engine = qmc.Sobol(dimensions, scramble=True, rng=generator_for(seed, 0, SOBOL_PURPOSE))
    exponent = max(count - 1, 1).bit_length()
    return np.asarray(engine.random_base2(exponent)[:count])


def by_path(space: SearchSpace, positions: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Name the positions of a point: parameter path -> position."""
    return {path: float(position) for path, position in zip(space.paths, positions, strict=True)}
