from __future__ import annotations

import sys
from dataclasses import replace
from unittest.mock import Mock

import pytest

from automl.samplers.quasi_random import initial_design_length
from automl.samplers.registry import make_sampler
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.study.causes import OriginKind
from automl.testing.studies import MIXED, plan_of
from tests.automl.samplers.playing import PLANE, bowl, play


def test_the_opening_is_spread_over_the_space_then_comes_a_model() -> None:
    history, _ = play(make_sampler(plan_of("auto", PLANE)), bowl, 8)

    assert [o.origin.kind for o in history.observations] == [OriginKind.SOBOL] * 4 + [OriginKind.GP] * 4


@pytest.mark.parametrize(("count", "expected"), [(1, 4), (5, 4), (9, 6), (40, 8)])
def test_the_opening_grows_with_the_space(count: int, expected: int) -> None:
    parameters = tuple(
        Parameter(path=f"p{i}", type=ParameterType.FLOAT, low=0, high=1, default=0.5) for i in range(count)
    )

    assert initial_design_length(SearchSpace(parameters=parameters, fixed={})) == expected


def test_many_given_points_replace_the_opening() -> None:
    history, _ = play(make_sampler(plan_of("auto", PLANE)), bowl, 6)
    given = tuple(observation.assignment for observation in history.observations)
    sampler = make_sampler(plan_of("auto", PLANE, first_trials=given))

    candidate = sampler.propose(history, 6)

    assert candidate is not None
    assert candidate.origin.kind is OriginKind.GP


def test_beyond_300_trials_parzen_estimators_take_over() -> None:
    sampler = make_sampler(plan_of("auto", MIXED))
    history, _ = play(make_sampler(plan_of("random", PLANE)), bowl, 12)

    late = make_sampler(plan_of("auto", PLANE)).propose(history, 300)

    assert late is not None
    assert late.origin.kind is OriginKind.TPE
    assert sampler is not None


def test_what_the_model_needs_is_imported_while_the_first_trial_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    later = Mock()
    monkeypatch.setattr("automl.samplers.auto.threading.Timer", later)
    monkeypatch.setattr("automl.samplers.auto._LIBRARIES", ("colorsys",))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    history, _ = play(make_sampler(plan_of("random", PLANE)), bowl, 1)

    make_sampler(plan_of("auto", PLANE)).prepare(history)
    delay_s, work = later.call_args.args

    assert delay_s > 0
    later.return_value.start.assert_called_once_with()
    assert "colorsys" not in sys.modules
    work()
    assert "colorsys" in sys.modules


def test_nothing_is_imported_for_a_model_that_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    later = Mock()
    monkeypatch.setattr("automl.samplers.auto.threading.Timer", later)
    history, _ = play(make_sampler(plan_of("random", PLANE)), bowl, 1)
    plan = plan_of("auto", PLANE)

    make_sampler(replace(plan, budget=replace(plan.budget, trials=1))).prepare(history)

    later.assert_not_called()
