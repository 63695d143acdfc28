from __future__ import annotations

import numpy as np

from automl.samplers.quasi_random import sobol_points


def test_a_longer_sequence_begins_with_the_shorter_one() -> None:
    np.testing.assert_array_equal(sobol_points(5, 40, 3)[:7], sobol_points(5, 7, 3))


def test_the_points_are_evenly_spread_in_each_direction() -> None:
    points = sobol_points(6, 16, 1)

    assert all(len(set((points[:, d] * 16).astype(int))) == 16 for d in range(6))


def test_another_seed_scrambles_otherwise() -> None:
    assert not np.allclose(sobol_points(3, 4, 1), sobol_points(3, 4, 2))


def test_an_empty_space_has_points_without_coordinates() -> None:
    assert sobol_points(0, 3, 1).shape == (3, 0)
