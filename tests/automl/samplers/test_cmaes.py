from __future__ import annotations

import numpy as np

from automl.samplers.cmaes import CmaEsSampler, State, Strategy
from tests.automl.samplers.playing import PLANE, bowl, play


def test_it_converges_on_a_bowl() -> None:
    history, curve = play(CmaEsSampler(PLANE, 1), bowl, 120)

    late = [o.values[0] for o in history.observations[-10:]]
    assert curve[-1] > -1e-3
    assert np.mean(late) > -0.02


def test_the_distribution_turns_along_a_valley() -> None:
    strategy, state = Strategy.for_dimensions(2), State.at(np.array([0.5, 0.5]))
    generator = np.random.default_rng(0)
    for _ in range(30):
        points = state.mean + state.step * generator.normal(size=(strategy.population, 2)) @ state.root
        loss = (points[:, 0] - points[:, 1]) ** 2 * 1e4 + (points.sum(axis=1) - 1.2) ** 2
        state = strategy.step(state, points[np.argsort(loss)])

    along, across = state.covariance[0, 1], state.covariance[0, 0]
    assert along > 0.8 * across


def test_weights_sum_to_one_and_favour_the_best() -> None:
    strategy = Strategy.for_dimensions(5)

    assert abs(float(strategy.weights.sum()) - 1.0) < 1e-12
    assert (np.diff(strategy.weights) < 0).all()
