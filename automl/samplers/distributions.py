"""Parameters as Optuna distributions, so that Optuna's samplers and dashboards understand a study."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import TYPE_CHECKING

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection

from automl.space.parameters import ParameterType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from automl.space.parameters import Parameter, SearchSpace
    from automl.space.values import Scalar


def distribution_of(parameter: Parameter) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    """Return the Optuna distribution of a parameter.

    Optuna has no stepped logarithmic ranges: there the step is left out, and the value is moved to its step afterwards.
    """
    if parameter.choices:
        return CategoricalDistribution(parameter.choices)
    low, high = parameter.bounds
    if parameter.type is ParameterType.INT:
        step = 1 if parameter.log or parameter.step is None else max(round(parameter.step), 1)
        top = round(low) + (round(high) - round(low)) // step * step
        return IntDistribution(round(low), top, log=parameter.log, step=step)
    if parameter.log or parameter.step is None:
        return FloatDistribution(low, high, log=parameter.log)
    # In decimals: 3 * 0.3 is not 0.9 in binary, and Optuna would drop the last value.
    steps = int(parameter.size) - 1
    last = float(Decimal(str(low)) + steps * Decimal(str(parameter.step)))
    return FloatDistribution(low, last, step=parameter.step)


def representable(
    space: SearchSpace, assignment: Mapping[str, Scalar]
) -> tuple[dict[str, Scalar], dict[str, BaseDistribution]]:
    """Return the part of an assignment that lies in its distributions, and those distributions.

    The template's own value may lie outside the searched range; Optuna has no place for such a value, so the journal
    keeps the whole assignment beside the parameters.
    """
    held = [p for p in space.parameters if p.path in assignment and p.contains(assignment[p.path])]
    return {p.path: assignment[p.path] for p in held}, {p.path: distribution_of(p) for p in held}


def study_in_memory(
    make_sampler: Callable[[], BaseSampler], trials: Sequence[FrozenTrial], objectives: int
) -> optuna.Study:
    """Return an Optuna study of these trials, whose objectives are maximised, that a sampler of Optuna proposes for."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else each proposal logs that a study was created
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        sampler = make_sampler()
    directions = [StudyDirection.MAXIMIZE] * objectives
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, sampler=sampler, directions=directions, study_name="history")
    study.add_trials(trials)
    return study
