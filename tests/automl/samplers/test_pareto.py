from __future__ import annotations

import numpy as np

from automl.samplers.pareto import crowding, fronts, scalarised


def test_fronts_peel_off_one_after_the_other() -> None:
    values = np.array([[1, 0], [0, 1], [0.5, 0.5], [0, 0], [0.4, 0.4]])

    assert fronts(values).tolist() == [0, 0, 0, 2, 1]


def test_equal_points_share_a_front() -> None:
    assert fronts(np.ones((3, 2))).tolist() == [0, 0, 0]


def test_the_ends_of_a_front_are_loneliest() -> None:
    lonely = crowding(np.array([[0.0, 1.0], [0.5, 0.5], [0.55, 0.45], [1.0, 0.0]]))

    assert np.isinf(lonely[[0, 3]]).all()
    assert np.isfinite(lonely[[1, 2]]).all()


def test_a_dominated_point_is_worse_under_every_weight() -> None:
    values = np.array([[1.0, 2.0], [0.5, 1.0], [2.0, 0.0]])

    for first in (0.0, 0.3, 1.0):
        numbers = scalarised(values, np.array([first, 1 - first]))
        assert numbers[0] > numbers[1]
