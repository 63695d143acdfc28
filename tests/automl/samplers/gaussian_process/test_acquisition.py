from __future__ import annotations

import numpy as np
from scipy.stats import norm

from automl.samplers.gaussian_process.acquisition import log_expected_improvement


def test_expected_improvement_is_the_textbook_one() -> None:
    mean, deviation = np.array([0.0, 0.5, -1.0, 2.0]), np.array([1.0, 0.2, 0.7, 0.1])
    z = (mean - 0.3) / deviation

    found = np.exp(log_expected_improvement(mean, deviation, 0.3))

    np.testing.assert_allclose(found, deviation * (norm.pdf(z) + z * norm.cdf(z)), rtol=1e-6)


def test_hopeless_points_are_still_ordered() -> None:
    gains = log_expected_improvement(np.array([-5.0, -10.0, -50.0, -500.0]), np.ones(4), 0.0)

    assert np.isfinite(gains).all()
    assert (np.diff(gains) < 0).all()


def test_the_asymptotic_form_meets_the_direct_one() -> None:
    near, far = log_expected_improvement(np.array([-5.999, -6.001]), np.ones(2), 0.0)

    assert abs(near - far) < 0.1
