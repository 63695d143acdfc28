"""Peers with searchers of their own: Ray Tune's OptunaSearch, Syne Tune and SMAC3, as objects, without runners."""

from __future__ import annotations

import importlib.util
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.samplers.distributions import distribution_of
from benchmarks.search.method import Method

if TYPE_CHECKING:
    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace

PACKAGES = {"ray": "ray", "syne": "syne_tune", "smac": "smac"}


_TRIALS = 30
"""Of a run: SMAC3's initial design depends on it."""


def is_installed(method: str) -> bool:
    """Tell whether the package of a method is there; those of ours and of Optuna are."""
    package = PACKAGES.get(method.partition(":")[0])
    return package is None or importlib.util.find_spec(package) is not None


class RayOptuna(Method):
    """Ray Tune's OptunaSearch with its defaults.

    Args:
        space: What is searched.
        seed: Of its sampler.
        starts: Points that every method begins with; empty for its own start.
    """

    def __init__(self, space: SearchSpace, seed: int, starts: list[dict[str, Any]]) -> None:
        from ray.tune.search.optuna import OptunaSearch  # noqa: PLC0415 - only where it is compared

        self._search: Any = OptunaSearch(
            space={p.path: distribution_of(p) for p in space.parameters},
            metric="value",
            mode="max",
            seed=seed,
            points_to_evaluate=starts or None,
        )
        self._asked = 0

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return its next suggestion."""
        self._asked += 1
        name = str(self._asked)
        return name, dict(self._search.suggest(name))

    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False) -> None:  # noqa: ANN401, ARG002
        """Report a value; a diverged trial is one with an error."""
        result = None if value is None else {"value": value}
        self._search.on_trial_complete(handle, result=result, error=value is None)


class SyneTune(Method):
    """A searcher of Syne Tune with its defaults.

    Args:
        kind: ``bore`` or ``kde``.
        space: What is searched.
        seed: Of the searcher.
        starts: Points that every method begins with; empty for its own start.
    """

    def __init__(self, kind: str, space: SearchSpace, seed: int, starts: list[dict[str, Any]]) -> None:
        from syne_tune.optimizer.schedulers.searchers.bore import Bore  # noqa: PLC0415 - only where it is compared
        from syne_tune.optimizer.schedulers.searchers.kde import KernelDensityEstimator  # noqa: PLC0415 - see above

        # Its random configurations come from the global generators.
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - see above
        searcher = {"bore": Bore, "kde": KernelDensityEstimator}[kind]
        config = {p.path: domain_of(p) for p in space.parameters}
        self._search = searcher(config_space=config, points_to_evaluate=starts or None, random_seed=seed)
        self._asked = 0

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return its next suggestion."""
        self._asked += 1
        config = self._search.suggest(trial_id=str(self._asked))
        return (self._asked, config), dict(config)

    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False) -> None:  # noqa: ANN401, ARG002
        """Report a value; it minimises. A diverged trial is not reported, as its runner does."""
        number, config = handle
        if value is not None:
            self._search.on_trial_complete(trial_id=number, config=config, metric=-value)


class Smac(Method):
    """SMAC3's facade for hyperparameter optimisation: a random forest, with its defaults.

    Args:
        space: What is searched.
        seed: Of the facade.
        starts: Points that every method begins with; empty for its own start.
    """

    def __init__(self, space: SearchSpace, seed: int, starts: list[dict[str, Any]]) -> None:
        from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer  # noqa: PLC0415 - only where compared
        from smac import HyperparameterOptimizationFacade, Scenario  # noqa: PLC0415 - see above

        if starts:
            raise ValueError("SMAC3 is compared with its own start only")
        config = ConfigurationSpace(seed=seed)
        for p in space.parameters:
            number = Integer if p.is_integer else Float
            config.add(Categorical(p.path, p.choices) if p.choices else number(p.path, p.bounds, log=p.log))
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            config, n_trials=_TRIALS, deterministic=True, seed=seed, output_directory=Path(self._folder.name)
        )
        self._facade = HyperparameterOptimizationFacade(scenario, _never_called, overwrite=True, logging_level=False)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return its next suggestion."""
        info = self._facade.ask()
        found = {name: value.item() if hasattr(value, "item") else value for name, value in dict(info.config).items()}
        return info, found

    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False) -> None:  # noqa: ANN401, ARG002
        """Report a value; it minimises. A diverged trial has crashed."""
        from smac.runhistory import StatusType, TrialValue  # noqa: PLC0415 - see above

        status = StatusType.CRASHED if value is None else StatusType.SUCCESS
        self._facade.tell(handle, TrialValue(cost=-(value or 0.0), status=status), save=False)


def _never_called(config: object, seed: int = 0) -> float:
    raise NotImplementedError(f"{config} with seed {seed}: SMAC3 is asked for trials here")


def domain_of(parameter: Parameter) -> Any:  # noqa: ANN401 - Syne Tune's
    """Return a parameter as Syne Tune has it."""
    from syne_tune.config_space import choice, loguniform, randint, uniform  # noqa: PLC0415 - see above

    if parameter.choices:
        return choice(list(parameter.choices))
    low, high = parameter.bounds
    if parameter.is_integer:
        return randint(int(low), int(high))
    return (loguniform if parameter.log else uniform)(low, high)
