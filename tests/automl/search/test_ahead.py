from __future__ import annotations

import sys
import time

import numpy as np

from automl.search.ahead import AheadKernels, import_ahead
from automl.search.gaussian_process import Prior

FEATURES = np.random.default_rng(0).random((20, 2))
VALUES = np.sin(5 * FEATURES[:, 0])


def test_a_kernel_fitted_ahead_is_returned_at_once_and_is_the_same() -> None:
    groups, prior = np.array([0, 1]), Prior.for_dimensions(2)
    ahead = AheadKernels(groups, prior)
    fresh = AheadKernels(groups, prior).fitted(FEATURES, VALUES, np.ones(20))
    ahead.begin(FEATURES, VALUES, np.ones(20))
    first = ahead.fitted(FEATURES, VALUES, np.ones(20))

    start = time.perf_counter()
    second = ahead.fitted(FEATURES, VALUES, np.ones(20))

    assert time.perf_counter() - start < 0.005
    assert second is first
    np.testing.assert_array_equal(first.lengths, fresh.lengths)


def test_modules_are_imported_in_the_background() -> None:
    sys.modules.pop("colorsys", None)

    import_ahead("colorsys").join(timeout=30)

    assert "colorsys" in sys.modules


def test_other_data_gives_another_kernel() -> None:
    ahead = AheadKernels(np.array([0, 1]), Prior.for_dimensions(2))

    first = ahead.fitted(FEATURES, VALUES, np.ones(20))
    second = ahead.fitted(FEATURES, -2 * VALUES, np.ones(20))

    assert first.signal != second.signal
