"""Optuna's tree-structured Parzen estimator: multivariate, grouped for conditional spaces, with constant liar.

The estimator is rebuilt for every proposal from the history in memory, so it depends on nothing else. Conditional
parameters are asked for only where they act.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState as OptunaState

from automl.samplers.distributions import (
    distribution_of,
    kind_name,
    kinds_of,
    known_trial,
    range_name,
    representable,
    study_in_memory,
)
from automl.samplers.history import is_usable
from automl.samplers.quasi_random import SobolSampler
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial, Trial

    from automl.samplers.history import History, Observation
    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

# Trials with a value that are proposed before by a Sobol sequence.
_SOBOL_TRIALS = 6
# Of longer histories the best and the latest: a proposal from 4,000 trials takes 0.5 s of processor time. The estimator
# uses 25 good ones, and gives older ones less weight anyway.
_BEST, _LATEST = 100, 900


class TpeSampler(Sampler):
    """Proposes where good trials are dense and bad ones rare."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self._sobol = SobolSampler(space, seed)
        self._known: dict[int, tuple[tuple[Observation, list[float]], FrozenTrial]] = {}
        is_conditional = any(p.condition is not None or p.beside for p in space.parameters)
        self._estimator = partial(
            TPESampler, n_startup_trials=1, multivariate=True, group=is_conditional, constant_liar=True
        )

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the next assignment."""
        known = considered(history.observations)
        usable = [o for o in known if is_usable(o)]
        if len(usable) < _SOBOL_TRIALS or not self._space.parameters:
            return self._sobol.propose(history, number)
        worst = [min(values) for values in zip(*(o.values for o in usable), strict=True)]
        trials = [self._known_trial(o, worst) for o in known if o.state is not TrialState.FAILED]
        seed = int(generator_for(self._seed, number).integers(2**31))
        make_sampler = partial(self._estimator, seed=seed)
        trial = study_in_memory(make_sampler, [frozen for frozen in trials if frozen.params], len(worst)).ask()
        values: dict[str, Scalar] = {}
        for parameter in self._space.parameters:
            if self._space.is_active(parameter.path, values):
                values[parameter.path] = _suggest(trial, parameter)
        return Candidate(self._space.spread(values), Origin(OriginKind.TPE))

    def _known_trial(self, observation: Observation, worst: list[float]) -> FrozenTrial:
        """Return a trial as Optuna knows it; most have not changed since the proposal before."""
        key = (observation, worst if observation.state is TrialState.DIVERGED else [])
        before = self._known.get(observation.number)
        if before is None or before[0][0] is not observation or before[0][1] != key[1]:
            before = self._known[observation.number] = (key, self._frozen_trial(observation, worst))
        return before[1]

    def _frozen_trial(self, observation: Observation, worst: list[float]) -> FrozenTrial:
        values, distributions = representable(self._space, self._space.repair(observation.assignment))
        if observation.finished_as is None:
            return known_trial(OptunaState.RUNNING, params=values, distributions=distributions)
        return known_trial(
            OptunaState.COMPLETE,
            params=values,
            distributions=distributions,
            constraints={str(i): by for i, by in enumerate(observation.violations) if by is not None},
            values=worst if observation.state is TrialState.DIVERGED else list(observation.values),
        )


def considered(observations: Sequence[Observation]) -> Sequence[Observation]:
    """Return the trials that a proposal rests on, in their order: all, or of a long study the best and the latest."""
    earlier, latest = observations[:-_LATEST], observations[-_LATEST:]
    if len(earlier) <= _BEST:
        return observations
    best = sorted(filter(is_usable, earlier), key=lambda o: (-o.values[0], o.number))[:_BEST]
    return (*sorted(best, key=lambda o: o.number), *latest)


def _suggest(trial: Trial, parameter: Parameter) -> Scalar:
    if parameter.beside:
        kinds = kinds_of(parameter)
        kind = kinds.choices.index(trial.suggest_categorical(kind_name(parameter), kinds.choices))
        if kind < len(parameter.beside):
            return parameter.beside[kind]
    distribution, name = distribution_of(parameter), range_name(parameter)
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        value: int | float = trial.suggest_int(
            name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
        )
    else:
        value = trial.suggest_float(
            name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
        )
    return parameter.nearest(1.0 - value if parameter.log_to_one else value)
