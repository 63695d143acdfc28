"""What a point is worth: expected improvement on a logarithmic scale, times the probability that it is feasible."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from automl.samplers.encoding import Encoder
    from automl.samplers.gaussian_process.duration import Price
    from automl.space.values import Scalar

    class Process(Protocol):
        """A Gaussian process given observations."""

        def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Return mean and standard deviation of the function (without noise), each of shape (m,)."""


_SQRT_2PI = math.sqrt(2 * math.pi)
# Below this many deviations the direct formula loses its digits.
_FAR = -6.0
# Standard deviation below which a probability is not trusted to be 0 or 1.
_LEAST_DEVIATION = 0.1
_REFINEMENTS = (0.1, 0.05, 0.02)


@dataclass(frozen=True, slots=True)
class AcquisitionFunction:
    """Expected improvement of a point, times the probability that it is feasible.

    Attributes:
        model: Of the values; without the diverged trials where divergence has a process of its own.
        best: Its prediction for the best trial that keeps every constraint; None while there is none.
        feasibility: One process per condition, positive where it holds: +1 for trials that ended and -1 for those that
            diverged, and by how much a constraint is kept.
        price: What a training costs; None where every one costs the same.
    """

    model: Process
    best: float | None
    feasibility: tuple[Process, ...] = ()
    price: Price | None = None

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithm of expected improvement times probability of feasibility by price, shape (m,)."""
        from scipy.special import log_ndtr  # noqa: PLC0415 - scipy is needed only where a model is fitted

        # Without a trial that keeps the constraints, finding one is the only improvement.
        gain = np.zeros(len(features))
        if self.best is not None:
            gain = log_expected_improvement(*self.model.predict(features), self.best)
        for process in self.feasibility:
            mean, deviation = process.predict(features)
            gain = gain + log_ndtr(mean / np.maximum(deviation, _LEAST_DEVIATION))
        return gain if self.price is None else gain - self.price.of(features)


def log_expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """Return ``log(E[max(f - best, 0)])`` for normal predictions, accurate where the improvement is hopeless.

    Args:
        mean: Predicted values, larger is better, shape (m,).
        deviation: Standard deviations, > 0, shape (m,).
        best: The value to improve on.

    Source: Ament et al. 2023 (arXiv:2310.20708), with the asymptotic form ``phi(z) / z**2`` below z = -6.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - only where a model is fitted

    z = (mean - best) / deviation
    near = np.maximum(z, _FAR)
    density = np.exp(-0.5 * near**2) / _SQRT_2PI
    direct = np.log(np.maximum(density + near * ndtr(near), 1e-300))
    far = np.minimum(z, _FAR)
    asymptotic = -0.5 * far**2 - math.log(_SQRT_2PI) - 2.0 * np.log(-far)
    return np.asarray(np.where(z < _FAR, asymptotic, direct) + np.log(deviation))


def best_point(
    encoder: Encoder,
    acquisition: AcquisitionFunction,
    centres: np.ndarray,
    known: Sequence[Mapping[str, Scalar]],
    generator: np.random.Generator,
) -> dict[str, Scalar]:
    """Return the assignment of largest acquisition value that is not known.

    Args:
        encoder: Of the space.
        acquisition: What a point is worth.
        centres: Good points, near which is searched too, shape (k, dimensions), k >= 1.
        known: Assignments that have been tried or run.
        generator: Source of randomness.
    """
    spread = encoder.spread(1000, generator)
    candidates = np.vstack([spread, encoder.nearby(centres, 400, 0.15, generator)])
    gains = acquisition.of(encoder.features(candidates))
    for scale in _REFINEMENTS:
        top = candidates[np.argsort(gains)[::-1][:10]]
        candidates = np.vstack([top, encoder.nearby(top, 150, scale, generator)])
        gains = acquisition.of(encoder.features(candidates))
    ranked = candidates[np.argsort(gains)[::-1]]
    first = None
    for point in ranked[:50]:
        assignment = encoder.assignment(point)
        if assignment in known:
            continue
        # What a relation moves elsewhere is not what was valued.
        if encoder.is_at(assignment, point):
            return assignment
        first = first or assignment
    return first or encoder.assignment(ranked[0])
