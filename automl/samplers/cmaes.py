"""CMA-ES (package `cmaes`): a normal distribution that adapts to good points; for many trials on continuous spaces.

The state is replayed from the history for every proposal: trials that ended, in their order, form the generations. The
distribution starts at the template. Discrete parameters are rounded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from cmaes import CMA

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.training_data import training_data_from
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

_FIRST_STEP = 0.25


class CmaEsSampler(Sampler):
    """Draws from the distribution that all full generations so far have shaped."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)

    def propose(self, history: History, number: int) -> Candidate:
        """Return a draw from the current distribution."""
        data = training_data_from(history)
        points = self._encoder.points(data.assignments)
        seed = int(generator_for(self._seed, number).integers(2**31))
        strategy = CMA(self._encoder.default_point, _FIRST_STEP, n_max_resampling=0, seed=seed)
        size = strategy.population_size
        for begin in range(0, len(points) - size + 1, size):
            generation = _within_reach(strategy, points[begin : begin + size])
            strategy.tell(list(zip(generation, -data.fitness[begin : begin + size], strict=True)))
        assignment = self._encoder.assignment(self._encoder.snap(strategy.ask()[None, :])[0])
        return Candidate(assignment, Origin(OriginKind.CMAES))


def _within_reach(strategy: CMA, points: np.ndarray) -> np.ndarray:
    """Return the points of a generation, none further from the mean than a draw is likely to be.

    Those of other samplers, such as clones, are further away and would make the step explode. Source: Hansen 2011,
    Injecting External Solutions Into CMA-ES (arXiv:1110.4181).
    """
    moves = points - strategy.mean
    values, vectors = np.linalg.eigh(strategy._C)  # noqa: SLF001 - there is no public way
    whitened = (moves @ vectors) / (strategy._sigma * np.sqrt(np.maximum(values, 1e-12)))  # noqa: SLF001 - see above
    reach = math.sqrt(strategy.dim) + 2 * strategy.dim / (strategy.dim + 2)
    lengths = np.maximum(np.linalg.norm(whitened, axis=1), reach)
    return np.asarray(strategy.mean + moves * (reach / lengths)[:, None])
