from __future__ import annotations

import numpy as np
from scipy.optimize import check_grad

from automl.samplers.gaussian_process.regression import (
    Kernel,
    Posterior,
    _negative_log_posterior,
    fit_kernel,
    squared_by_parameter,
)

GROUPS = np.array([0, 1, 1])


def data(count: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    features = generator.random((count, 3))
    values = np.sin(6 * features[:, 0]) + noise * generator.normal(size=count)
    return features, (values - values.mean()) / values.std()


def test_the_gradient_is_that_of_the_objective() -> None:
    features, values = data(12)
    extra = np.where(np.arange(12) % 3 == 0, 4.0, 1.0)
    target = _negative_log_posterior(squared_by_parameter(features, GROUPS, 2), values, extra)
    point = np.array([-0.5, 0.3, 0.2, -3.0])

    error = check_grad(lambda x: target(x)[0], lambda x: target(x)[1], point)

    assert error < 1e-4


def test_observed_values_are_predicted_and_uncertainty_grows_away_from_them() -> None:
    features, values = data(15)
    model = Posterior(features, values, np.ones(15), Kernel(np.array([0.5, 1.0, 1.0]), 1.0, 1e-6))

    mean, deviation = model.predict(features)
    _, far = model.predict(features + 5.0)

    np.testing.assert_allclose(mean, values, atol=1e-2)
    assert deviation.max() < 0.01
    np.testing.assert_allclose(far, 1.0, atol=1e-3)


def test_a_parameter_without_influence_gets_the_longer_length() -> None:
    features, values = data(30)

    kernel = fit_kernel(features, values, np.ones(30), GROUPS)

    assert kernel.lengths[1] > 2 * kernel.lengths[0]


def test_noise_is_separated_from_signal() -> None:
    clean = fit_kernel(*data(40), np.ones(40), GROUPS)
    noisy = fit_kernel(*data(40, noise=1.0), np.ones(40), GROUPS)

    assert noisy.noise > 10 * clean.noise


def test_repeated_points_and_constant_values_can_be_fitted() -> None:
    features = np.full((6, 3), 0.5)

    kernel = fit_kernel(features, np.zeros(6), np.ones(6), GROUPS)

    assert np.isfinite(kernel.lengths).all()
