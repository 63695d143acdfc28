"""The methods that are compared: ours through its own searcher, peers through their own ask and tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState as OptunaState

from automl.samplers.distributions import distribution_of
from automl.samplers.registry import make_searcher
from automl.samplers.searcher import Searcher
from automl.study.model import Budget
from automl.study.objectives import Direction, Objective
from automl.study.trial import TrialResult, TrialState
from automl.testing.studies import plan_of
from benchmarks.search.method import Method
from benchmarks.search.peers import RayOptuna, Smac, SyneTune
from benchmarks.search.penalised import PenalisedSampler

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from automl.space.search_space import SearchSpace
    from automl.study.earlier import EarlierStudy

optuna.logging.set_verbosity(optuna.logging.ERROR)
VALUE = Objective(metric="value", direction=Direction.MAXIMIZE)
MEMORY = Path("/dev/shm")  # noqa: S108 - journals of thousands of short studies would wear a disk


class Ours(Method):
    """One of our samplers, with its searcher.

    Args:
        sampler: Its name.
        space: What is searched.
        seed: Seed of the study.
        starts: Points that every method begins with; empty for our own start.
        earlier: Studies that it learns from.
        budget: Of the study; 30 trials where it is left out.
    """

    def __init__(
        self,
        sampler: str,
        space: SearchSpace,
        seed: int,
        starts: list[dict[str, Any]],
        earlier: tuple[EarlierStudy, ...] = (),
        budget: Budget | None = None,
    ) -> None:
        plan = replace(
            plan_of(sampler, space, seed=seed, objectives=(VALUE,), first_trials=tuple(starts)),
            earlier=earlier,
            budget=budget or Budget(trials=30),
            max_epochs=None,
        )
        if sampler == "penalised":
            self._searcher = Searcher(plan, PenalisedSampler(space, seed))
        else:
            self._searcher = make_searcher(plan)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return the next proposal."""
        proposal = self._searcher.ask()
        if proposal is None:
            raise StopIteration(f"{len(self._searcher.history.observations)} assignments are all there are")
        self._searcher.prepare()
        return proposal, dict(proposal.assignment)

    def observe(self, handle: Any, epoch: int, value: float) -> None:  # noqa: ANN401
        """Report an intermediate value."""
        self._searcher.observe(handle.number, epoch, value)

    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False, seconds: float = 0.0) -> None:  # noqa: ANN401
        """Report a completed, stopped or diverged trial, and how long it took."""
        with_value = TrialState.STOPPED if is_stopped else TrialState.COMPLETED
        self._searcher.tell(
            TrialResult(
                number=handle.number,
                state=TrialState.DIVERGED if value is None else with_value,
                assignment=handle.assignment,
                directory="",
                values={} if value is None else {"value": value},
                elapsed_s=seconds,
            )
        )


class Peer(Method):
    """One of Optuna's samplers with its own defaults.

    Args:
        sampler: The sampler.
        space: What is searched.
        starts: Points that every method begins with; empty for the peer's own start.
    """

    def __init__(self, sampler: optuna.samplers.BaseSampler, space: SearchSpace, starts: list[dict[str, Any]]) -> None:
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._distributions: dict[str, BaseDistribution] = {p.path: distribution_of(p) for p in space.parameters}
        for start in starts:
            self._study.enqueue_trial(start)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return Optuna's next trial."""
        trial = self._study.ask(self._distributions)
        return trial, dict(trial.params)

    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False) -> None:  # noqa: ANN401, ARG002
        """Report a value; a diverged trial is a failed one, which is what Optuna makes of NaN."""
        self._study.tell(handle, value, state=None if value is not None else OptunaState.FAIL)


def make_method(name: str, space: SearchSpace, seed: int, starts: list[dict[str, Any]]) -> Method:
    """Return a method by name, ``ours:SAMPLER``, ``optuna:tpe|gp|random|cmaes``, or one of `suite_a.METHODS`."""
    family, _, kind = name.partition(":")
    if family == "ours":
        return Ours(kind, space, seed, starts)
    if family == "ray":
        return RayOptuna(space, seed, starts)
    if family == "smac":
        return Smac(space, seed, starts)
    if family == "syne":
        return SyneTune(kind, space, seed, starts)
    samplers = {
        "tpe": optuna.samplers.TPESampler,
        "gp": optuna.samplers.GPSampler,
        "random": optuna.samplers.RandomSampler,
        "cmaes": optuna.samplers.CmaEsSampler,
    }
    return Peer(samplers[kind](seed=seed), space, starts)
