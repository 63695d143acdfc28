"""Gaussian-process regression on a few dozen points: Matern-5/2 with one length per parameter, and noise.

Lengths, signal and noise are at their most probable values under weak priors (posterior mode). Plain linear algebra;
what is worth trying next is decided in `automl.samplers.gaussian_process.acquisition`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SQRT5 = math.sqrt(5.0)
JITTER = 1e-8
# Objective of parameters under which the covariance cannot be factored.
HOPELESS = 1e25

# Priors: mean and standard deviation of the logarithms of the kernel's parameters, for values of variance 1.
LENGTH_DEVIATION = 0.8
SIGNAL = (0.0, 0.5)
NOISE = (-4.0, 1.0)


@dataclass(frozen=True, slots=True)
class Kernel:
    """Parameters of a fitted kernel.

    Attributes:
        lengths: One per feature column, those of one parameter equal, in units of the range, shape (columns,).
        signal: Variance of the function.
        noise: Variance of an observation around it.
    """

    lengths: np.ndarray
    signal: float
    noise: float


class Posterior:
    """A Gaussian process given observations.

    Args:
        features: Observed feature rows, shape (n, columns).
        values: Observed values, shape (n,).
        extra_noise: Factor on the noise of each observation, shape (n,); 1 for ordinary ones.
        kernel: Its parameters.
    """

    def __init__(self, features: np.ndarray, values: np.ndarray, extra_noise: np.ndarray, kernel: Kernel) -> None:
        self._scale = 1.0 / kernel.lengths
        self._kernel = kernel
        self._features = features * self._scale
        covariance = kernel.signal * matern(self._features, self._features)
        covariance[np.diag_indices_from(covariance)] += kernel.noise * extra_noise + JITTER
        self._inverse = inverse_of(covariance)
        self._weights = self._inverse @ values

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the function (without noise), each of shape (m,)."""
        cross = self._kernel.signal * matern(features * self._scale, self._features)
        variance = self._kernel.signal - np.einsum("ij,ij->i", cross @ self._inverse, cross)
        return cross @ self._weights, np.sqrt(np.maximum(variance, 1e-12))


def fit_kernel(features: np.ndarray, values: np.ndarray, extra_noise: np.ndarray, groups: np.ndarray) -> Kernel:
    """Return the most probable kernel parameters, by L-BFGS from two starts.

    The prior of the lengths grows with the square root of the number of parameters, so distances keep meaning. Source:
    Hvarfner et al. 2024 (arXiv:2402.02229), with a narrower deviation that suits a few dozen points.

    Args:
        features: Shape (n, columns), n >= 1.
        values: Shape (n,), finite, of about unit variance.
        extra_noise: Factor on the noise of each observation, shape (n,).
        groups: For each feature column, the index of its parameter.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - only where a model is fitted

    use_one_thread()
    dimensions = int(groups.max()) + 1 if len(groups) else 0
    target = _negative_log_posterior(squared_by_parameter(features, groups, dimensions), values, extra_noise)
    bounds = [(-4.0, 5.0)] * dimensions + [(-3.0, 3.0), (-12.0, 1.0)]
    fits = []
    for shift in (0.0, -1.0):
        start = _prior_means(dimensions)
        start[:dimensions] += shift
        fits.append(minimize(target, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}))
    logs = np.asarray(min(fits, key=lambda fit: float(fit.fun)).x)
    return Kernel(np.exp(logs[:dimensions])[groups], float(np.exp(logs[-2])), float(np.exp(logs[-1])))


@functools.cache
def use_one_thread() -> None:
    """Let this process compute with one thread from now on: several wait for each other longer than such matrices take.

    On two busy cores a fit to 90 points takes 10 times the processor time with two threads.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - only where a model is fitted

    threadpool_limits(limits=1, user_api="blas")


def log_evidence_of_shape(features: np.ndarray, values: np.ndarray, extra_noise: np.ndarray, kernel: Kernel) -> float:
    """Return the logarithm of the odds that values come from a process rather than from noise of variance 1.

    Args:
        features: Shape (n, columns), n >= 1.
        values: Shape (n,), of about unit variance.
        extra_noise: Factor on the noise of each observation, shape (n,).
        kernel: Fitted to them.
    """
    scaled = features / kernel.lengths
    covariance = kernel.signal * matern(scaled, scaled) + np.diag(kernel.noise * extra_noise + JITTER)
    constant = np.ones_like(covariance)  # of variance 1: the mean is unknown
    return log_likelihood(covariance + constant, values) - log_likelihood(np.eye(len(values)) + constant, values)


def log_likelihood(covariance: np.ndarray, values: np.ndarray) -> float:
    """Return the log density of values under a normal distribution of mean 0, but for a constant."""
    pair = factored(covariance)
    if pair is None:
        return -HOPELESS
    factor, inverse = pair
    return float(-0.5 * values @ inverse @ values - np.log(np.diag(factor)).sum())


def length_prior(dimensions: int) -> float:
    """Return the prior mean of the logarithm of a length."""
    return 0.5 * math.log(max(dimensions, 1)) - 0.7


def _prior_means(dimensions: int) -> np.ndarray:
    return np.array([*[length_prior(dimensions)] * dimensions, SIGNAL[0], NOISE[0]])


def _negative_log_posterior(
    squared: np.ndarray, values: np.ndarray, extra_noise: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return a function from log-parameters to the objective and its gradient; ``squared`` is (dimensions, n, n)."""
    dimensions, count = len(squared), len(values)
    means = _prior_means(dimensions)
    deviations = np.array([*[LENGTH_DEVIATION] * dimensions, SIGNAL[1], NOISE[1]])
    flat = squared.reshape(dimensions, count * count)

    def target(logs: np.ndarray) -> tuple[float, np.ndarray]:
        inverse_squares = np.exp(-2.0 * logs[:dimensions])
        signal, noise = np.exp(logs[-2]), np.exp(logs[-1])
        root = SQRT5 * np.sqrt((inverse_squares @ flat).reshape(count, count))
        decay = np.exp(-root)
        correlation = (1.0 + root + root**2 / 3.0) * decay
        covariance = signal * correlation
        covariance[np.diag_indices(count)] += noise * extra_noise + JITTER
        pair = factored(covariance)
        if pair is None:
            return HOPELESS, np.zeros_like(logs)
        factor, inverse = pair
        weights = inverse @ values
        inner = np.outer(weights, weights) - inverse
        slope = (inner * (signal * (5.0 / 3.0) * (1.0 + root) * decay)).reshape(-1)
        gradient = np.empty_like(logs)
        gradient[:dimensions] = 0.5 * (flat @ slope) * inverse_squares
        gradient[-2] = 0.5 * signal * np.sum(inner * correlation)
        gradient[-1] = 0.5 * noise * np.sum(np.diag(inner) * extra_noise)
        likelihood = float(-0.5 * values @ weights - np.log(np.diag(factor)).sum())
        offset = (logs - means) / deviations
        return float(-likelihood + 0.5 * offset @ offset), offset / deviations - gradient

    return target


def inverse_of(covariance: np.ndarray) -> np.ndarray:
    """Return the inverse of a covariance, whose diagonal grows until it can be factored.

    Repeated points with tiny noise need that.
    """
    jitter = JITTER
    while (pair := factored(covariance)) is None:
        covariance[np.diag_indices_from(covariance)] += jitter
        jitter *= 10.0
    return pair[1]


def factored(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the Cholesky factor (lower) and the inverse; None if rounding made the covariance indefinite."""
    from scipy.linalg.lapack import dpotrf, dpotri  # noqa: PLC0415 - see fit_kernel

    factor, failure = dpotrf(covariance, lower=1, clean=1)
    inverse, further = dpotri(factor, lower=1)
    return None if failure or further else (factor, np.tril(inverse) + np.tril(inverse, -1).T)


def squared_by_parameter(features: np.ndarray, groups: np.ndarray, dimensions: int) -> np.ndarray:
    """Return squared distances between rows along each parameter, shape (dimensions, n, n)."""
    squared = np.zeros((dimensions, len(features), len(features)))
    for column, group in enumerate(groups):
        squared[group] += (features[:, column, None] - features[None, :, column]) ** 2
    return squared


def matern(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the correlation between the rows of two arrays, in units of their lengths."""
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None, :] - 2.0 * first @ second.T
    root = SQRT5 * np.sqrt(np.maximum(squared, 0.0))
    return np.asarray((1.0 + root + root**2 / 3.0) * np.exp(-root))
