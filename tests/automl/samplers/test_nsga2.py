from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.nsga2 import Nsga2Sampler, survivors
from automl.samplers.pareto import fronts
from automl.samplers.quasi_random import RandomSampler, SobolSampler
from tests.automl.samplers.playing import PLANE, number, play

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.values import Scalar


def two_goals(assignment: Mapping[str, Scalar]) -> tuple[float, ...]:
    x, y = number(assignment, "x"), number(assignment, "y")
    return (-abs(x) - y * y, -abs(x - 0.5) - y * y)


def test_survivors_are_the_first_front_with_its_ends_first() -> None:
    values = np.array([[0.0, 1.0], [0.5, 0.5], [0.45, 0.55], [1.0, 0.0], [0.1, 0.1]])

    kept = survivors(values, np.zeros(len(values)), 4)

    assert set(kept[:2]) == {0, 3}
    assert 4 not in kept


def test_more_of_its_trials_are_on_the_common_front_than_of_random_ones() -> None:
    bred = play(Nsga2Sampler(PLANE, 1, SobolSampler(PLANE, 1)), two_goals, 60)[0]
    drawn = play(RandomSampler(PLANE, 1), two_goals, 60)[0]
    values = np.array([o.values for o in (*bred.observations, *drawn.observations)])

    first = fronts(values) == 0

    assert first[:60].sum() > 3 * first[60:].sum()


def test_points_that_miss_a_constraint_come_last_however_good_they_are() -> None:
    values = np.array([[9.0, 9.0], [1.0, 1.0], [8.0, 8.0], [2.0, 0.5]])

    assert survivors(values, np.array([2.0, 0.0, 1.0, 0.0]), 4)[2:] == [2, 0]
