"""Parameters as Optuna distributions, so that Optuna's samplers and dashboards understand a study."""

from __future__ import annotations

import copy
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from automl.space.parameters import ParameterType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import TrialState as OptunaState

    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

IN_RANGE = "in range"


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
    if parameter.log_to_one:
        return FloatDistribution(1.0 - high, 1.0 - low, log=True)
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
    values: dict[str, Scalar] = {}
    distributions: dict[str, BaseDistribution] = {}
    for parameter in space.parameters:
        value = assignment.get(parameter.path)
        if parameter.path not in assignment or not parameter.contains(value):
            continue
        is_beside = parameter.is_beside(value)
        if parameter.beside:
            values[kind_name(parameter)] = str(value) if is_beside else IN_RANGE
            distributions[kind_name(parameter)] = kinds_of(parameter)
        if not is_beside:
            distribution = distributions[range_name(parameter)] = distribution_of(parameter)
            values[range_name(parameter)] = value
            if isinstance(distribution, FloatDistribution) and isinstance(value, int | float) and parameter.log_to_one:
                values[range_name(parameter)] = min(max(1.0 - value, distribution.low), distribution.high)
    return values, distributions


def range_name(parameter: Parameter) -> str:
    """Return the name of a parameter's range in Optuna: of what is searched on a logarithmic scale towards 1, 1 - x."""
    return f"1 - {parameter.path}" if parameter.log_to_one else parameter.path


def kind_name(parameter: Parameter) -> str:
    """Return the name of the choice between the range and the values beside it."""
    return f"{parameter.path} (kind)"


def kinds_of(parameter: Parameter) -> CategoricalDistribution:
    """Return that choice: the values beside the range as text, or `IN_RANGE`."""
    return CategoricalDistribution((*map(str, parameter.beside), IN_RANGE))


class _KnownTrial(FrozenTrial):
    """A trial that nothing changes: a storage need not copy what it holds, which takes longer than a proposal."""

    def __deepcopy__(self, memo: object) -> FrozenTrial:
        del memo
        return copy.copy(self)


def known_trial(state: OptunaState, **fields: Any) -> FrozenTrial:  # noqa: ANN401 # as Optuna's own function
    """Return a trial for `study_in_memory`, of the fields of Optuna's ``create_trial``."""
    trial = _KnownTrial.__new__(_KnownTrial)
    vars(trial).update(vars(optuna.trial.create_trial(state=state, **fields)))
    return trial


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
    number = storage.get_study_id_from_name(study.study_name)
    for trial in trials:  # `Study.add_trials` would validate each again, which takes half of the time
        storage.create_new_trial(number, template_trial=trial)
    return study
