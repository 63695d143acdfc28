"""CMA-ES (package `cmaes`): a normal distribution that adapts to good points; for many trials on continuous spaces.

The state follows from the history: trials that ended, in their order, form the generations. The
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
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from automl.samplers.history import History, Observation
    from automl.space.search_space import SearchSpace

_FIRST_STEP = 0.25


class CmaEsSampler(Sampler):
    """Draws from the distribution that all full generations so far have shaped."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)
        self._ended: tuple[Observation, ...] = ()
        self._rows = np.empty((0, self._encoder.dimensions + 1))
        """Points and values of these, in their order; NaN for those that diverged."""
        self._strategy: CMA | None = None
        self._passed = np.empty((0, self._encoder.dimensions + 1))

    def propose(self, history: History, number: int) -> Candidate:
        """Return a draw from the current distribution."""
        drawn = CMA.__new__(CMA)  # a draw changes the strategy, by rounding; its own copy does so too
        vars(drawn).update(vars(self._replayed(self._fitness(history))))
        drawn.reseed_rng(int(generator_for(self._seed, number).integers(2**31)))
        assignment = self._encoder.assignment(self._encoder.snap(drawn.ask()[None, :])[0])
        return Candidate(assignment, Origin(OriginKind.CMAES))

    def _fitness(self, history: History) -> np.ndarray:
        """Return point and fitness of each trial that counts, in the order in which they ended.

        Values of a long study are not looked at again, unless later trials change them: those of stopped trials, and of
        trials that miss a constraint.
        """
        ended, known = history.finished, len(self._ended)
        if ended[:known] != self._ended:
            self._ended, self._rows, known = (), self._rows[:0], 0
        fresh = ended[known:]
        if not all(map(_is_settled, fresh)):
            data = training_data_from(history)
            return np.column_stack([self._encoder.points(data.assignments), data.fitness])
        counted = [o for o in fresh if o.values or o.state is TrialState.DIVERGED]
        values = [o.values[0] if o.values else math.nan for o in counted]
        rows = np.column_stack([self._encoder.points([o.assignment for o in counted]), values])
        self._ended, self._rows = ended, np.vstack([self._rows, rows])
        lacking = np.isnan(self._rows[:, -1])
        if not lacking.any():
            return self._rows
        lowest = 0.0 if lacking.all() else float(np.nanmin(self._rows[:, -1]))
        return np.column_stack([self._rows[:, :-1], np.where(lacking, lowest, self._rows[:, -1])])

    def _replayed(self, rows: np.ndarray) -> CMA:
        """Return the strategy after all full generations of points and their fitness.

        It goes on from the one before where that was passed the same; a long study would else take seconds.
        """
        strategy = self._strategy
        if strategy is None or not np.array_equal(self._passed, rows[: len(self._passed)]):
            strategy = CMA(self._encoder.default_point, _FIRST_STEP, n_max_resampling=0, seed=0)
            self._strategy, self._passed = strategy, rows[:0]
        size = strategy.population_size
        for begin in range(len(self._passed), len(rows) - size + 1, size):
            generation = rows[begin : begin + size]
            points = _within_reach(strategy, np.ascontiguousarray(generation[:, :-1]))
            strategy.tell(list(zip(points, -generation[:, -1], strict=True)))
            self._passed = rows[: begin + size]
        return strategy


def _is_settled(observation: Observation) -> bool:
    """Tell whether no later trial changes what this one counts as; a diverged one always takes the worst value."""
    is_measured = observation.state in {TrialState.COMPLETED, TrialState.DIVERGED, TrialState.FAILED}
    return is_measured and all(by is not None and by <= 0 for by in observation.violations)


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
