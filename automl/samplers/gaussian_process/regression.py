"""Gaussian-process regression on a few dozen points: Matern-5/2 with one length per parameter, and noise.

Lengths, signal and noise are at their most probable values under weak priors (posterior mode). Plain linear algebra;
what is worth trying next is decided in `automl.samplers.gaussian_process.acquisition`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_SQRT5 = math.sqrt(5.0)
_JITTER = 1e-8
# Objective of parameters under which the covariance cannot be factored.
_HOPELESS = 1e25


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Normal priors on the logarithms of the kernel's parameters.

    Attributes:
        length_mean: Of each length, in units of the range.
        length_deviation: Same, standard deviation.
        noise_mean: Of the noise variance, for values of variance 1.
        noise_deviation: Same, standard deviation.
        signal_deviation: Of the signal variance around 1.
    """

    length_mean: float
    length_deviation: float = 0.8
    noise_mean: float = -4.0
    noise_deviation: float = 1.0
    signal_deviation: float = 0.5

    @classmethod
    def for_dimensions(cls, dimensions: int) -> Prior:
        """Return the prior for a number of parameters: lengths grow with its square root, so distances keep meaning.

        Source: Hvarfner et al. 2024 (arXiv:2402.02229), with a narrower deviation that suits a few dozen points.
        """
        return cls(length_mean=0.5 * math.log(max(dimensions, 1)) - 0.7)


@dataclass(frozen=True, slots=True)
class Kernel:
    """Parameters of a fitted kernel.

    Attributes:
        lengths: One per parameter, in units of the range, shape (dimensions,).
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
        groups: For each feature column, the index of its parameter.
    """

    def __init__(
        self, features: np.ndarray, values: np.ndarray, extra_noise: np.ndarray, kernel: Kernel, groups: np.ndarray
    ) -> None:
        self._scale = 1.0 / kernel.lengths[groups]
        self._kernel = kernel
        self._features = features * self._scale
        covariance = kernel.signal * _matern(_distances(self._features, self._features))
        covariance[np.diag_indices_from(covariance)] += kernel.noise * extra_noise + _JITTER
        # The jitter grows until the factorisation holds; repeated points with tiny noise need that.
        failed, jitter = True, _JITTER
        while failed:
            _, self._inverse, failed = _factored(covariance)
            covariance[np.diag_indices_from(covariance)] += jitter
            jitter *= 10.0
        self._weights = self._inverse @ values

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the function (without noise), each of shape (m,)."""
        cross = self._kernel.signal * _matern(_distances(features * self._scale, self._features))
        variance = self._kernel.signal - np.einsum("ij,ij->i", cross @ self._inverse, cross)
        return cross @ self._weights, np.sqrt(np.maximum(variance, 1e-12))


def fit_kernel(
    features: np.ndarray, values: np.ndarray, extra_noise: np.ndarray, groups: np.ndarray, prior: Prior
) -> Kernel:
    """Return the most probable kernel parameters, by L-BFGS from two starts.

    Args:
        features: Shape (n, columns), n >= 1.
        values: Shape (n,), finite, of about unit variance.
        extra_noise: Factor on the noise of each observation, shape (n,).
        groups: For each feature column, the index of its parameter.
        prior: Priors on the parameters.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - scipy is needed only where a model is fitted

    dimensions = int(groups.max()) + 1 if len(groups) else 0
    target = _negative_log_posterior(_squared_by_parameter(features, groups, dimensions), values, extra_noise, prior)
    best: tuple[float, np.ndarray] | None = None
    for shift in (0.0, -1.0):
        start = np.concatenate([np.full(dimensions, prior.length_mean + shift), [0.0, prior.noise_mean]])
        bounds = [(-4.0, 5.0)] * dimensions + [(-3.0, 3.0), (-12.0, 1.0)]
        found = minimize(target, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
        if best is None or found.fun < best[0]:
            best = (float(found.fun), np.asarray(found.x))
    logs = best[1] if best is not None else np.zeros(dimensions + 2)
    return Kernel(np.exp(logs[:dimensions]), float(np.exp(logs[-2])), float(np.exp(logs[-1])))


def _negative_log_posterior(
    squared: np.ndarray, values: np.ndarray, extra_noise: np.ndarray, prior: Prior
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return a function from log-parameters to the objective and its gradient; ``squared`` is (dimensions, n, n)."""
    dimensions, count = len(squared), len(values)
    means = np.concatenate([np.full(dimensions, prior.length_mean), [0.0, prior.noise_mean]])
    deviations = np.concatenate(
        [np.full(dimensions, prior.length_deviation), [prior.signal_deviation, prior.noise_deviation]]
    )
    flat = squared.reshape(dimensions, count * count)

    def target(logs: np.ndarray) -> tuple[float, np.ndarray]:
        inverse_squares = np.exp(-2.0 * logs[:dimensions])
        signal, noise = np.exp(logs[-2]), np.exp(logs[-1])
        root = _SQRT5 * np.sqrt((inverse_squares @ flat).reshape(count, count))
        decay = np.exp(-root)
        correlation = (1.0 + root + root**2 / 3.0) * decay
        covariance = signal * correlation
        covariance[np.diag_indices(count)] += noise * extra_noise + _JITTER
        factor, inverse, failed = _factored(covariance)
        if failed:
            return _HOPELESS, np.zeros_like(logs)
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


def _factored(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the Cholesky factor (lower), the inverse, and whether rounding made the covariance indefinite."""
    from scipy.linalg.lapack import dpotrf, dpotri  # noqa: PLC0415 - see fit_kernel

    factor, info = dpotrf(covariance, lower=1, clean=1)
    if info != 0:
        return covariance, covariance, True
    inverse, info = dpotri(factor, lower=1)
    lower = np.tril(inverse)
    return factor, lower + np.tril(inverse, -1).T, bool(info != 0)


def _squared_by_parameter(features: np.ndarray, groups: np.ndarray, dimensions: int) -> np.ndarray:
    squared = np.zeros((dimensions, len(features), len(features)))
    for column, group in enumerate(groups):
        squared[group] += (features[:, column, None] - features[None, :, column]) ** 2
    return squared


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None, :] - 2.0 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _matern(distances: np.ndarray) -> np.ndarray:
    root = _SQRT5 * distances
    return np.asarray((1.0 + root + root**2 / 3.0) * np.exp(-root))
