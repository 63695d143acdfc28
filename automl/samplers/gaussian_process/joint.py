"""Gaussian-process regression over several studies at once: what is known of this one from earlier ones.

``y_t(x) = c_t + f_t(x) + noise`` for study t. The functions of two studies have the covariance
``signal * k(x, x') * a_t * a_t'``, that of one study with itself ``signal * k(x, x')``; k is a Matern-5/2 with one
length per parameter, the constants c_t are independent. The study that runs has a = 1, so the a of an earlier one is
its correlation with it: it is fitted, and an earlier study that contradicts the values measured here loses its say.

Source: intrinsic coregionalisation (Bonilla et al. 2007; Swersky et al. 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.samplers.gaussian_process.regression import (
    HOPELESS,
    JITTER,
    LENGTH_DEVIATION,
    NOISE,
    SIGNAL,
    SQRT5,
    factored,
    inverse_of,
    length_prior,
    log_likelihood,
    matern,
    squared_by_parameter,
    use_one_thread,
)

_CONSTANT = 1.0
# Prior of the logit of a correlation: mean and standard deviation. Those of the other parameters are as for one study.
_CORRELATION = (1.0, 1.5)
_FIRST_STEPS, _FURTHER_STEPS = 60, 12


@dataclass(frozen=True, slots=True)
class JointData:
    """Observations of several studies.

    Attributes:
        features: Feature rows, shape (n, columns).
        values: Shape (n,); those of each study of mean about 0 and variance about 1.
        noise: Factor on the noise of each, shape (n,).
        studies: Which study each belongs to, shape (n,): 0 for the one that runs, others from 1 without gaps.
    """

    features: np.ndarray
    values: np.ndarray
    noise: np.ndarray
    studies: np.ndarray

    def part(self, rows: np.ndarray) -> JointData:
        """Return some of the observations."""
        return JointData(self.features[rows], self.values[rows], self.noise[rows], self.studies[rows])

    def behind(self, features: np.ndarray, values: np.ndarray, noise: np.ndarray) -> JointData:
        """Return these observations behind some of the study that runs."""
        return JointData(
            np.vstack([features, self.features]),
            np.concatenate([values, self.values]),
            np.concatenate([noise, self.noise]),
            np.concatenate([np.zeros(len(values), dtype=int), self.studies]),
        )


@dataclass(frozen=True, slots=True)
class JointKernel:
    """Parameters of a fitted kernel.

    Attributes:
        logs: Logarithms of the length of each parameter, of signal and noise; logits of the correlations.
        dimensions: Number of parameters.
    """

    logs: np.ndarray
    dimensions: int

    @property
    def correlations(self) -> np.ndarray:
        """Of each earlier study with the one that runs, in (0, 1), shape (studies - 1,)."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.logs[self.dimensions + 2 :])))

    @property
    def signal(self) -> float:
        """Variance of each function."""
        return float(np.exp(self.logs[self.dimensions]))

    @property
    def noise(self) -> float:
        """Variance of an observation around it."""
        return float(np.exp(self.logs[self.dimensions + 1]))


class JointPosterior:
    """The function of the study that runs, given the observations of all."""

    def __init__(self, data: JointData, kernel: JointKernel, groups: np.ndarray) -> None:
        self._scale = np.exp(-kernel.logs[: kernel.dimensions])[groups]
        self._features = data.features * self._scale
        self._signal = kernel.signal
        self._inverse = inverse_of(_covariance(data, kernel, groups))
        self._weights = self._inverse @ data.values
        self._row = self._signal * _between(kernel.correlations)[0, data.studies]
        self._own = _CONSTANT * (data.studies == 0)

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the function (without noise), each of shape (m,)."""
        cross = matern(features * self._scale, self._features) * self._row + self._own
        variance = self._signal + _CONSTANT - np.einsum("ij,ij->i", cross @ self._inverse, cross)
        return cross @ self._weights, np.sqrt(np.maximum(variance, 1e-12))


def with_equal_correlations(kernel: JointKernel) -> JointKernel:
    """Return a kernel with every correlation at its most probable value before anything is measured."""
    logs = kernel.logs.copy()
    logs[kernel.dimensions + 2 :] = _CORRELATION[0]
    return JointKernel(logs, kernel.dimensions)


def log_evidence(
    features: np.ndarray, values: np.ndarray, earlier: JointData, kernel: JointKernel, groups: np.ndarray
) -> float:
    """Return the logarithm of the odds that values agree with earlier studies rather than have nothing to do with them.

    Args:
        features: Rows of the study that runs, shape (n, columns).
        values: Its values, of mean 0 and variance about 1, shape (n,).
        earlier: Observations of the others.
        kernel: Under which they are compared.
        groups: For each feature column, the index of its parameter.
    """
    joint = earlier.behind(features, values, np.ones(len(values)))
    covariance, count = _covariance(joint, kernel, groups), len(values)
    gain = np.linalg.solve(covariance[count:, count:], covariance[count:, :count]).T
    alone = covariance[:count, :count]
    given = alone - gain @ covariance[count:, :count]
    return log_likelihood(given, values - gain @ earlier.values) - log_likelihood(alone, values)


def _covariance(data: JointData, kernel: JointKernel, groups: np.ndarray) -> np.ndarray:
    features = data.features * np.exp(-kernel.logs[: kernel.dimensions])[groups]
    between = _between(kernel.correlations)[np.ix_(data.studies, data.studies)]
    covariance = kernel.signal * matern(features, features) * between
    covariance += _CONSTANT * (data.studies[:, None] == data.studies[None, :])
    covariance[np.diag_indices_from(covariance)] += kernel.noise * data.noise + JITTER
    return np.asarray(covariance)


def fit_joint_kernel(data: JointData, groups: np.ndarray, start: JointKernel | None = None) -> JointKernel:
    """Return the most probable kernel parameters, by L-BFGS.

    Args:
        data: Of all studies.
        groups: For each feature column, the index of its parameter.
        start: Where to begin: a few steps suffice from a kernel that was fitted to nearly the same observations.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - only where a model is fitted

    use_one_thread()
    target = _NegativeLogPosterior(data, groups)
    bounds = [(-4.0, 5.0)] * target.dimensions + [(-3.0, 3.0), (-12.0, 1.0)] + [(-6.0, 6.0)] * target.sources
    steps = _FIRST_STEPS if start is None else _FURTHER_STEPS
    origin = target.means if start is None else start.logs
    fit = minimize(target, origin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return JointKernel(np.asarray(fit.x), target.dimensions)


def _priors(dimensions: int, sources: int) -> tuple[np.ndarray, np.ndarray]:
    means = [*[length_prior(dimensions)] * dimensions, SIGNAL[0], NOISE[0], *[_CORRELATION[0]] * sources]
    deviations = [*[LENGTH_DEVIATION] * dimensions, SIGNAL[1], NOISE[1], *[_CORRELATION[1]] * sources]
    return np.array(means), np.array(deviations)


def _between(correlations: np.ndarray) -> np.ndarray:
    """Return the correlation between the functions of the studies, shape (studies, studies)."""
    loads = np.concatenate([[1.0], correlations])
    matrix = np.outer(loads, loads)
    np.fill_diagonal(matrix, 1.0)
    return matrix


class _NegativeLogPosterior:
    """Function from the logarithms of a kernel to its objective and the gradient of that."""

    def __init__(self, data: JointData, groups: np.ndarray) -> None:
        self.sources = int(data.studies.max(initial=0))
        self.dimensions = int(groups.max()) + 1 if len(groups) else 0
        self.means, self._deviations = _priors(self.dimensions, self.sources)
        self._data = data
        self._count = len(data.values)
        squared = squared_by_parameter(data.features, groups, self.dimensions)
        self._flat = squared.reshape(self.dimensions, self._count**2)
        self._same = (data.studies[:, None] == data.studies[None, :]).astype(float)
        self._member = np.eye(self.sources + 1)[data.studies]
        self._pairs = np.ix_(data.studies, data.studies)

    def __call__(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = JointKernel(logs, self.dimensions)
        inverse_squares = np.exp(-2.0 * logs[: self.dimensions])
        shared = _between(kernel.correlations)[self._pairs]
        root = SQRT5 * np.sqrt((inverse_squares @ self._flat).reshape(self._count, self._count))
        decay = kernel.signal * np.exp(-root)
        correlated = (1.0 + root + root**2 / 3.0) * decay
        covariance = correlated * shared + _CONSTANT * self._same
        covariance[np.diag_indices(self._count)] += kernel.noise * self._data.noise + JITTER
        pair = factored(covariance)
        if pair is None:
            return HOPELESS, np.zeros_like(logs)
        factor, inverse = pair
        weights = inverse @ self._data.values
        inner = np.outer(weights, weights) - inverse
        slope = (inner * shared * (5.0 / 3.0) * (1.0 + root) * decay).reshape(-1)
        lengths = 0.5 * (self._flat @ slope) * inverse_squares
        gradient = np.concatenate([lengths, self._rest_of_gradient(kernel, inner, inner * correlated, shared)])
        likelihood = float(-0.5 * self._data.values @ weights - np.log(np.diag(factor)).sum())
        offset = (logs - self.means) / self._deviations
        return float(-likelihood + 0.5 * offset @ offset), offset / self._deviations - gradient

    def _rest_of_gradient(
        self, kernel: JointKernel, inner: np.ndarray, mass: np.ndarray, shared: np.ndarray
    ) -> np.ndarray:
        """Return the derivatives of the likelihood by log signal, log noise and the logits."""
        signal = 0.5 * np.sum(mass * shared)
        noise = 0.5 * kernel.noise * np.sum(np.diag(inner) * self._data.noise)
        blocks = self._member.T @ mass @ self._member
        np.fill_diagonal(blocks, 0.0)
        loads = np.concatenate([[1.0], kernel.correlations])
        return np.array([signal, noise, *((blocks @ loads)[1:] * kernel.correlations * (1.0 - kernel.correlations))])
