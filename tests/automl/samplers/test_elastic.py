"""Derived ends: they grow where good trials gather, and no sampler spends its trials at one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.samplers.elastic import next_growth, with_range
from automl.samplers.registry import SAMPLERS, make_searcher
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.testing.studies import ended, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl.samplers.searcher import Searcher
    from automl.space.values import Scalar

LR = Parameter(
    path="lr",
    type=ParameterType.FLOAT,
    low=1e-6,
    high=1e-3,
    log=True,
    default=1e-4,
    derived=("low", "high"),
    reach=(0.0, 1e-2),
)
DROP = Parameter(path="drop", type=ParameterType.FLOAT, low=0.0, high=0.5, default=0.1)
SPACE = SearchSpace(parameters=(LR, DROP), fixed={})
OWN = [name for name in SAMPLERS if name != "llm"]


def rising(values: Mapping[str, Scalar]) -> float:
    assert isinstance(values["lr"], float)
    return math.log10(values["lr"])


def search(
    searcher: Searcher, trials: int, function: Callable[[Mapping[str, Scalar]], float], *, grows: bool
) -> tuple[list[tuple[float, Mapping[str, Scalar]]], SearchSpace]:
    """Run trials one after the other; return (upper end of the rate, assignment) of each, and the space at last."""
    space, seen = SPACE, []
    for _ in range(trials):
        proposal = searcher.ask()
        assert proposal is not None
        seen.append((space["lr"].bounds[1], proposal.assignment))
        searcher.tell(ended(proposal.number, values={"accuracy": function(proposal.assignment)}))
        while grows and (growth := searcher.growth()) is not None:
            space = searcher.grow(growth.path, growth.low, growth.high).space
    return seen, space


def at_end(end: float, value: Scalar) -> bool:
    assert isinstance(value, float)
    return math.log10(end / value) <= 0.01 * 3 or value >= 0.99 * end


@pytest.mark.parametrize("sampler", OWN)
def test_no_sampler_spends_more_than_a_fifth_of_its_trials_at_a_derived_end(sampler: str) -> None:
    seen, _ = search(make_searcher(plan_of(sampler, SPACE)), 20, rising, grows=False)

    assert sum(at_end(end, values["lr"]) for end, values in seen) <= 4


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_a_range_grows_where_good_trials_gather_and_never_beyond_the_schema(sampler: str) -> None:
    seen, space = search(make_searcher(plan_of(sampler, SPACE)), 30, rising, grows=True)

    assert space["lr"].bounds == (1e-6, 1e-2)
    assert space["lr"].derived == ("low",)
    assert max(rising(values) for _, values in seen) > -2.5
    derived = [at_end(end, values["lr"]) for end, values in seen if end < 1e-2]
    assert sum(derived) <= 0.2 * len(derived)


def test_a_range_stays_where_good_trials_lie_inside_it() -> None:
    searcher = make_searcher(plan_of("gp", SPACE))

    _, space = search(searcher, 20, lambda values: -abs(rising(values) + 4.5), grows=True)

    assert space == SPACE


@pytest.mark.parametrize("parameter", [replace(LR, derived=()), replace(LR, derived=("low",))])
def test_an_end_of_the_schema_or_of_the_user_never_moves(parameter: Parameter) -> None:
    searcher = make_searcher(plan_of("gp", SearchSpace(parameters=(parameter,), fixed={})))

    for _ in range(12):
        proposal = searcher.ask()
        assert proposal is not None
        searcher.tell(ended(proposal.number, values={"accuracy": rising(proposal.assignment)}))

    assert searcher.growth() is None


@pytest.mark.parametrize(
    ("changes", "bounds"),
    [
        ({}, (1e-6, 1e-2)),
        ({"log": False, "low": 0.1, "high": 0.4, "reach": (0.0, 0.45)}, (0.1, 0.45)),
        (
            {"log": False, "log_to_one": True, "low": 0.9, "high": 0.999, "reach": (0.0, 1.0)},
            (0.9, 1 - 10 ** (-11 / 3)),
        ),
        ({"type": ParameterType.INT, "log": False, "low": 4, "high": 16, "reach": (1, 1000)}, (4, 20)),
        ({"type": ParameterType.INT, "log": False, "low": 64, "high": 144, "step": 8, "reach": (1, 150)}, None),
    ],
)
def test_a_range_grows_by_a_third_of_its_length_on_its_scale(
    changes: dict[str, object], bounds: tuple[float, float] | None
) -> None:
    parameter = replace(LR, **changes)  # type: ignore[arg-type] # fields of it
    space = SearchSpace(parameters=(parameter,), fixed={})
    searcher = make_searcher(plan_of("random", space))
    for _ in range(5):
        proposal = searcher.ask()
        assert proposal is not None
        searcher.tell(ended(proposal.number, values={"accuracy": 0.1}))
    history = searcher.history
    top = parameter.bounds[1]
    at_top = [replace(o, assignment={"lr": top}) for o in history.observations]
    history = replace(history, observations=tuple(at_top))

    growth = next_growth(space, history)

    if bounds is None:
        assert growth is None
    else:
        assert growth is not None
        assert (growth.low, growth.high) == pytest.approx(bounds)
        assert with_range(space, "lr", growth.low, growth.high)["lr"].bounds == (growth.low, growth.high)


def test_a_searcher_that_reads_what_another_one_did_goes_on_like_it() -> None:
    first, second = (make_searcher(plan_of("gp", SPACE)) for _ in range(2))
    for number in range(24):
        proposal = first.ask()
        assert proposal is not None
        second.proposed(proposal)
        result = ended(number, values={"accuracy": rising(proposal.assignment)})
        first.tell(result)
        second.tell(result)
        while (growth := first.growth()) is not None:
            first.grow(growth.path, growth.low, growth.high)
            second.grow(growth.path, growth.low, growth.high)

    assert second.growth() is None
    assert first.ask() == second.ask()
