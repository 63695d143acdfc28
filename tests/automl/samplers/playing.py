"""Histories made by playing a sampler on a function, without a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.samplers.history import History, Observation
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl.samplers.sampler import Sampler
    from automl.space.values import Scalar

PLANE = SearchSpace(
    parameters=tuple(
        Parameter(path=path, type=ParameterType.FLOAT, low=-1.0, high=1.0, default=-0.5) for path in ("x", "y")
    ),
    fixed={},
)


def number(assignment: Mapping[str, Scalar], path: str) -> float:
    """Return a numeric value of an assignment."""
    value = assignment[path]
    assert isinstance(value, float)
    return value


def bowl(assignment: Mapping[str, Scalar]) -> tuple[float, ...]:
    """Return a function with its maximum 0 at (0.3, 0.3)."""
    return (-sum((number(assignment, path) - 0.3) ** 2 for path in ("x", "y")),)


def with_trials(history: History, *others: Observation) -> History:
    """Return a history with further trials."""
    return History(observations=(*history.observations, *others))


def play(
    sampler: Sampler,
    function: Callable[[Mapping[str, Scalar]], tuple[float, ...]],
    count: int,
    history: History | None = None,
) -> tuple[History, tuple[float, ...]]:
    """Run trials one after the other; return the history and the best value of the primary objective after each."""
    history, best = history or History(), -float("inf")
    curve = []
    for i in range(len(history.observations), len(history.observations) + count):
        candidate = sampler.propose(history, i)
        assert candidate is not None
        values = function(candidate.assignment)
        ended = Observation(
            number=i,
            assignment=candidate.assignment,
            origin=candidate.origin,
            state=TrialState.COMPLETED,
            values=values,
            finished_as=i,
        )
        history = with_trials(history, ended)
        best = max(best, values[0])
        curve.append(best)
    return history, tuple(curve)
