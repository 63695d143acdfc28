"""Samplers that fit no model: independent random draws, a scrambled Sobol sequence, and the start of other samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from automl.samplers.history import History
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

_SOBOL_PURPOSE = 101


class RandomSampler(Sampler):
    """Draws each parameter independently, on the scale of its range and with the weights of its choices."""

    def propose(self, history: History, number: int) -> Candidate:
        """Return a random assignment; the history is not read."""
        del history
        positions = generator_for(self._seed, number).random(len(self._space.parameters))
        return Candidate(_assignment_at(self._space, positions), Origin(OriginKind.RANDOM))


class SobolSampler(Sampler):
    """Point ``number`` of a scrambled Sobol sequence: evenly spread whatever the number of trials."""

    def propose(self, history: History, number: int) -> Candidate:
        """Return the next point of the sequence; the history is not read."""
        del history
        point = sobol_points(len(self._space.parameters), number + 1, self._seed)[number]
        return Candidate(_assignment_at(self._space, point), Origin(OriginKind.SOBOL))


class InitialDesign(Sampler):
    """The first trials after the given ones, spread over the space: a scrambled Sobol sequence of its own length."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)

    def propose(self, history: History, number: int) -> Candidate:
        """Return the next point of the sequence."""
        del number
        index = sum(o.origin.kind is OriginKind.SOBOL for o in history.observations)
        point = sobol_points(self._encoder.dimensions, index + 1, self._seed)[index]
        return Candidate(self._encoder.assignment(self._encoder.snap(point[None, :])[0]), Origin(OriginKind.SOBOL))


def initial_design_length(space: SearchSpace) -> int:
    """Return how many trials come before the model, the template included: half the parameters plus 2, from 4 to 8."""
    return min(max(len(space.parameters) // 2 + 2, 4), 8)


def sobol_points(dimensions: int, count: int, seed: int) -> np.ndarray:
    """Return the first ``count`` points of a scrambled Sobol sequence, shape (count, dimensions), in [0, 1).

    Raises:
        ValueError: more than 21201 dimensions.
    """
    from scipy.stats import qmc  # noqa: PLC0415 - scipy.stats takes 0.5 s to import; only samplers that run need it

    if dimensions == 0:
        return np.empty((count, 0))
    engine = qmc.Sobol(dimensions, scramble=True, rng=generator_for(seed, 0, _SOBOL_PURPOSE))
    exponent = max(count - 1, 1).bit_length()
    return np.asarray(engine.random_base2(exponent)[:count])


def _assignment_at(space: SearchSpace, point: np.ndarray) -> dict[str, Scalar]:
    return space.from_unit(dict(zip(space.paths, point.tolist(), strict=True)))
