from __future__ import annotations

import numpy as np

from automl.samplers.pareto import scalarised


def test_a_dominated_point_is_worse_under_every_weight() -> None:
    values = np.array([[1.0, 2.0], [0.5, 1.0], [2.0, 0.0]])

    for first in (0.0, 0.3, 1.0):
        numbers = scalarised(values, np.array([first, 1 - first]))
        assert numbers[0] > numbers[1]
