"""The process over durations, and a search that knows what a training costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.duration import DurationModel
from automl.samplers.gaussian_process.sampler import GaussianProcessSampler
from automl.samplers.history import History, Observation
from automl.study.causes import Origin, OriginKind
from automl.study.cost import CostLimit
from automl.study.trial import TrialState
from tests.automl.samplers.playing import PLANE, number, with_trials

LIMIT = CostLimit(trials=100, seconds=100.0)


def seconds_of(x: float) -> float:
    """Return a duration from 0.6 to 1.6 seconds, longer to the right."""
    return 1.1 + 0.5 * x


def observed(i: int, x: float, y: float, state: TrialState = TrialState.COMPLETED) -> Observation:
    return Observation(
        number=i,
        assignment={"x": x, "y": y},
        origin=Origin(OriginKind.SOBOL),
        state=state,
        values=() if state in {TrialState.FAILED, TrialState.DIVERGED} else (-(y**2),),
        finished_as=i,
        elapsed_s=seconds_of(x),
    )


def history(count: int = 8) -> History:
    draws = np.random.default_rng(3).uniform(-1.0, 1.0, (count, 2)).tolist()
    return History(observations=tuple(observed(i, x, y) for i, (x, y) in enumerate(draws)))


def test_longer_trainings_have_the_higher_price() -> None:
    encoder = Encoder(PLANE)
    price = DurationModel(encoder, LIMIT, None).price(history(), 8)

    assert price is not None
    low, high = price.of(encoder.features(encoder.points([{"x": -0.8, "y": 0.0}, {"x": 0.8, "y": 0.0}])))
    share_left = 1.0 - sum(o.elapsed_s for o in history().finished) / 100.0
    assert high - low == pytest.approx(share_left * np.log(seconds_of(0.8) / seconds_of(-0.8)), rel=0.15)


def test_of_a_stopped_trial_counts_the_time_it_would_have_taken_and_of_a_failed_one_none() -> None:
    known = history()
    early = replace(observed(8, 0.0, 0.0, TrialState.STOPPED), elapsed_s=0.55, curve=((0, 0.1), (4, 0.2)))
    failed = observed(9, 1.0, 1.0, TrialState.FAILED)
    whole = with_trials(known, observed(8, 0.0, 0.0), replace(failed, elapsed_s=90.0))

    encoder = Encoder(PLANE)
    model = DurationModel(encoder, CostLimit(trials=100), 10)
    prices = [model.price(found, 9) for found in (with_trials(known, early, failed), whole)]

    points = encoder.features(encoder.points([{"x": -0.8, "y": 0.0}, {"x": 0.8, "y": 0.0}]))
    assert prices[0] is not None
    assert prices[1] is not None
    assert prices[0].of(points).tolist() == pytest.approx(prices[1].of(points).tolist())


def test_two_durations_are_too_few_and_without_a_limit_none_counts() -> None:
    assert DurationModel(Encoder(PLANE), LIMIT, None).price(history(2), 2) is None
    assert DurationModel(Encoder(PLANE), None, None).price(history(), 8) is None


def test_among_equally_good_points_a_search_with_a_time_limit_prefers_short_ones() -> None:
    def mean_x(cost: CostLimit | None) -> float:
        known, sampler = history(), GaussianProcessSampler(PLANE, 5, cost=cost)
        for i in range(8, 16):
            candidate = sampler.propose(known, i)
            assert candidate is not None
            x, y = (number(candidate.assignment, path) for path in ("x", "y"))
            known = with_trials(known, observed(i, x, y))
        return float(np.mean([number(o.assignment, "x") for o in known.observations[8:]]))

    assert mean_x(LIMIT) < mean_x(None) - 0.2
