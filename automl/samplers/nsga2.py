"""NSGA-II of Optuna for several objectives, without generations: the parents are the best of all trials so far.

Generations would make a proposal depend on which trials had ended when others were proposed, which a history does not
tell and which a slow trial would delay.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers.nsgaii import BLXAlphaCrossover, PolynomialMutation
from optuna.trial import TrialState as OptunaState

from automl.samplers.distributions import known_trial, study_in_memory
from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.training_data import total_violations
from automl.samplers.history import usable
from automl.samplers.quasi_random import SobolSampler
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from automl.samplers.history import History, Observation
    from automl.space.parameters import SearchSpace

# Trials with a value that are proposed before by a Sobol sequence.
_SOBOL_TRIALS = 8
_POPULATION = 20
_MUTATION_INDEX = 10.0
# Of a longer study it is looked in so many directions for good trials, which say who cannot be a parent.
_FEW, _DIRECTIONS = 200, 12
# So many trials are compared each with each; of more, one after the other with those that are left.
_AT_ONCE = 1000
# Compared on six tables and a continuous problem: simulated binary crossover and uniform mutation were worse.


class _SteadyState(optuna.samplers.NSGAIISampler):
    """NSGA-II whose one generation of parents is every trial of the study."""

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        """Return 1: every proposal is a child."""
        del study, trial
        return 1

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Return all trials as the generation of the parents."""
        del generation
        return study.get_trials(deepcopy=False, states=[OptunaState.COMPLETE])


class Nsga2Sampler(Sampler):
    """Crosses two good trials, chosen by front and crowding, and mutates the child."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)
        self._sobol = SobolSampler(space, seed)
        options = map(self._encoder.options, range(self._encoder.dimensions))
        self._distributions: dict[str, BaseDistribution] = {
            f"{i:04d}": CategoricalDistribution(positions) if positions else FloatDistribution(0.0, 1.0)
            for i, positions in enumerate(options)
        }
        """Of the positions of the parameters: options without an order are choices."""
        self._ended: tuple[Observation, ...] = ()
        self._left: list[Observation] = []
        """Of these, the trials that may be parents yet."""

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return a child of two good trials."""
        trials = self._possible_parents(history)
        if len(trials) < _SOBOL_TRIALS:
            return self._sobol.propose(history, number)
        parents = self._parents(trials)
        seed = int(generator_for(self._seed, number).integers(2**31))
        study = study_in_memory(
            lambda: _SteadyState(
                population_size=_POPULATION,
                crossover=BLXAlphaCrossover(),
                mutation=PolynomialMutation(_MUTATION_INDEX),
                seed=seed,
            ),
            parents,
            len(parents[0].values),
        )
        child = study.ask(self._distributions).params
        point = np.array([child[name] for name in self._distributions])
        assignment = self._encoder.assignment(self._encoder.snap(point[None, :])[0])
        return Candidate(assignment, Origin(OriginKind.NSGA2))

    def _possible_parents(self, history: History) -> list[Observation]:
        """Return the usable trials, without most of those that enough others dominate, in order of their numbers.

        Later trials do not change that, so a long study is not looked at again.
        """
        ended, known = history.finished, len(self._ended)
        if ended[:known] != self._ended:
            self._ended, self._left, known = (), [], 0
        left = sorted([*self._left, *usable(ended[known:])], key=attrgetter("number"))
        if len(left) > _FEW:
            values, missed = _outcomes(left)
            places = _possible(values, np.flatnonzero(missed <= 0), _POPULATION)
            # Those that miss a constraint are behind all others, and count while there are too few of these.
            behind = np.flatnonzero(missed > 0) if len(places) < _POPULATION else np.empty(0, dtype=int)
            left = [left[i] for i in sorted([*places, *behind])]
        self._ended, self._left = ended, left
        return left

    def _parents(self, trials: list[Observation]) -> list[FrozenTrial]:
        """Return the trials that can be parents, in their order: the others take time and change nothing."""
        values, missed = _outcomes(trials)
        first = first_fronts(values, missed, _POPULATION)
        trials, missed = [trials[i] for i in first], missed[first]
        points = self._encoder.snap(self._encoder.points([o.assignment for o in trials]))
        return [
            known_trial(
                OptunaState.COMPLETE,
                params=dict(zip(self._distributions, point.tolist(), strict=True)),
                distributions=self._distributions,
                values=list(o.values),
                constraints={"missed": by} if missed.any() else {},
            )
            for o, point, by in zip(trials, points, missed.tolist(), strict=True)
        ]


def _outcomes(trials: Sequence[Observation]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of trials, shape (n, objectives), and by how much they miss their constraints, shape (n,)."""
    limits, objectives = len(trials[0].violations), len(trials[0].values)
    violations = np.array([o.violations for o in trials] if limits else [], dtype=float)
    values = np.fromiter(chain.from_iterable([o.values for o in trials]), float).reshape(-1, objectives)
    return values, total_violations(violations.reshape(len(trials), limits))


def first_fronts(values: np.ndarray, missed: np.ndarray, fewest: int) -> np.ndarray:
    """Return the places of the trials on the first fronts that have so many together, ascending.

    Args:
        values: Larger is better, shape (n, objectives).
        missed: By how much constraints are missed, shape (n,); trials that miss one are behind all others.
        fewest: How many at least, where there are as many.
    """
    chosen, left = np.empty(0, dtype=int), _possible(values, np.flatnonzero(missed <= 0), fewest)
    while len(chosen) < fewest and len(left):
        is_first = _is_undominated(values[left])
        chosen, left = np.append(chosen, left[is_first]), left[~is_first]
    lacking, others = fewest - len(chosen), np.flatnonzero(missed > 0)
    if lacking > 0 and len(others):
        last = np.sort(missed[others])[min(lacking, len(others)) - 1]
        chosen = np.append(chosen, others[missed[others] <= last])
    return np.sort(chosen)


def _possible(values: np.ndarray, places: np.ndarray, fewest: int) -> np.ndarray:
    """Return places without most of those that so many others dominate: all of these are on fronts before theirs."""
    if len(places) <= _FEW:
        return places
    rows = values[places]
    scaled = (rows - rows.min(axis=0)) / (np.ptp(rows, axis=0) + 1e-300)
    is_possible = np.ones(len(rows), dtype=bool)
    for weights in np.random.default_rng(0).dirichlet(np.ones(rows.shape[1]), _DIRECTIONS if rows.shape[1] > 1 else 1):
        corner = rows[np.argpartition(scaled @ weights, -fewest)[-fewest:]].min(axis=0)
        is_possible &= ~np.logical_and.reduce([column < end for column, end in zip(rows.T, corner, strict=True)])
    return places[is_possible]


def _is_undominated(values: np.ndarray) -> np.ndarray:
    """Return which rows no other row dominates; of equal rows all or none."""
    if len(values) <= _AT_ONCE:
        no_worse = np.logical_and.reduce([np.greater_equal.outer(column, column) for column in values.T])
        return np.asarray(~(no_worse & ~no_worse.T).any(axis=0))
    places, place = np.arange(len(values)), 0
    rows = values
    while place < len(rows):
        stays = (rows > rows[place]).any(axis=1) | (rows == rows[place]).all(axis=1)
        place = int(stays[:place].sum()) + 1
        places, rows = places[stays], rows[stays]
    found = np.zeros(len(values), dtype=bool)
    found[places] = True
    return found
