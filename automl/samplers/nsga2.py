"""NSGA-II of Optuna for several objectives, without generations: the parents are the best of all trials so far.

Generations would make a proposal depend on which trials had ended when others were proposed, which a history does not
tell and which a slow trial would delay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers.nsgaii import BLXAlphaCrossover, PolynomialMutation
from optuna.trial import TrialState as OptunaState

from automl.samplers.distributions import known_trial, study_in_memory
from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.training_data import total_violations
from automl.samplers.history import is_usable
from automl.samplers.quasi_random import SobolSampler
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

# Trials with a value that are proposed before by a Sobol sequence.
_SOBOL_TRIALS = 8
_POPULATION = 20
_MUTATION_INDEX = 10.0
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

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return a child of two good trials."""
        if sum(is_usable(o) for o in history.observations) < _SOBOL_TRIALS:
            return self._sobol.propose(history, number)
        trials = self._trials(history)
        seed = int(generator_for(self._seed, number).integers(2**31))
        study = study_in_memory(
            lambda: _SteadyState(
                population_size=_POPULATION,
                crossover=BLXAlphaCrossover(),
                mutation=PolynomialMutation(_MUTATION_INDEX),
                seed=seed,
            ),
            trials,
            len(trials[0].values),
        )
        child = study.ask(self._distributions).params
        point = np.array([child[name] for name in self._distributions])
        assignment = self._encoder.assignment(self._encoder.snap(point[None, :])[0])
        return Candidate(assignment, Origin(OriginKind.NSGA2))

    def _trials(self, history: History) -> list[FrozenTrial]:
        """Return the trials that can be parents, in their order: the others take time and change nothing."""
        usable = [o for o in history.observations if is_usable(o)]
        missed = total_violations(np.array([o.violations for o in usable], dtype=float))
        first = first_fronts(np.array([o.values for o in usable]), missed, _POPULATION)
        usable, missed = [usable[i] for i in first], missed[first]
        points = self._encoder.snap(self._encoder.points([o.assignment for o in usable]))
        return [
            known_trial(
                OptunaState.COMPLETE,
                params=dict(zip(self._distributions, point.tolist(), strict=True)),
                distributions=self._distributions,
                values=list(o.values),
                constraints={"missed": by} if missed.any() else {},
            )
            for o, point, by in zip(usable, points, missed.tolist(), strict=True)
        ]


def first_fronts(values: np.ndarray, missed: np.ndarray, fewest: int) -> np.ndarray:
    """Return the places of the trials on the first fronts that have so many together, ascending.

    Args:
        values: Larger is better, shape (n, objectives).
        missed: By how much constraints are missed, shape (n,); trials that miss one are behind all others.
        fewest: How many at least, where there are as many.
    """
    chosen, left = np.empty(0, dtype=int), np.flatnonzero(missed <= 0)
    while len(chosen) < fewest and len(left):
        is_first = _is_undominated(values[left])
        chosen, left = np.append(chosen, left[is_first]), left[~is_first]
    lacking, others = fewest - len(chosen), np.flatnonzero(missed > 0)
    if lacking > 0 and len(others):
        last = np.sort(missed[others])[min(lacking, len(others)) - 1]
        chosen = np.append(chosen, others[missed[others] <= last])
    return np.sort(chosen)


def _is_undominated(values: np.ndarray) -> np.ndarray:
    """Return which rows no other row dominates; of equal rows all or none."""
    places, place = np.arange(len(values)), 0
    rows = values
    while place < len(rows):
        stays = (rows > rows[place]).any(axis=1) | (rows == rows[place]).all(axis=1)
        place = int(stays[:place].sum()) + 1
        places, rows = places[stays], rows[stays]
    found = np.zeros(len(values), dtype=bool)
    found[places] = True
    return found
