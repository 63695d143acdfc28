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
from automl.samplers.history import usable
from automl.samplers.possible_parents import PossibleParents
from automl.samplers.quasi_random import SobolSampler
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from automl.samplers.history import History, Observation
    from automl.space.search_space import SearchSpace

# Trials with a value that are proposed before by a Sobol sequence.
_SOBOL_TRIALS = 8
_POPULATION = 20
_MUTATION_INDEX = 10.0
# Compared on six tables and a continuous problem: simulated binary crossover and uniform mutation were worse.


class _SteadyState(optuna.samplers.NSGAIISampler):
    """NSGA-II whose parents are chosen before."""

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        """Return 1: every proposal is a child."""
        del study, trial
        return 1

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Return all trials of the study, which are the parents in their order."""
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
        self._parents = PossibleParents(_POPULATION)

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return a child of two good trials."""
        self._observe(history)
        if len(self._parents) < _SOBOL_TRIALS:
            return self._sobol.propose(history, number)
        parents = self._known_parents()
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

    def _observe(self, history: History) -> None:
        """Take the trials over that have ended since; where others count in another way now, all of them."""
        ended, known = history.finished, len(self._ended)
        if ended[:known] != self._ended:
            self._parents, known = PossibleParents(_POPULATION), 0
        self._parents.add(usable(ended[known:]))
        self._ended = ended

    def _known_parents(self) -> list[FrozenTrial]:
        """Return the parents, in their order."""
        trials, missed = self._parents.chosen()
        points = self._encoder.snap(self._encoder.points([o.assignment for o in trials]))
        return [
            known_trial(
                OptunaState.COMPLETE,
                params=dict(zip(self._distributions, point.tolist(), strict=True)),
                distributions=self._distributions,
                values=list(o.values),
                constraints={"missed": by} if any(missed) else {},
            )
            for o, point, by in zip(trials, points, missed, strict=True)
        ]
