"""What is worth trying next: expected improvement on a logarithmic scale, and candidates for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from automl.samplers.encoding import Encoder

_SQRT_2PI = math.sqrt(2 * math.pi)
# Below this many deviations the direct formula loses its digits.
_FAR = -6.0


def log_expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """Return ``log(E[max(f - best, 0)])`` for normal predictions, accurate where the improvement is hopeless.

    Args:
        mean: Predicted values, larger is better, shape (m,).
        deviation: Standard deviations, > 0, shape (m,).
        best: The value to improve on.

    Returns:
        Shape (m,).

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


def spread_candidates(encoder: Encoder, count: int, generator: np.random.Generator) -> np.ndarray:
    """Return snapped points spread over the whole space, shape (count, dimensions)."""
    return encoder.snap(generator.random((count, encoder.dimensions)))


def nearby_candidates(
    encoder: Encoder, centres: np.ndarray, count: int, scale: float, generator: np.random.Generator
) -> np.ndarray:
    """Return snapped points near some centres: each differs from its centre in a few parameters.

    Args:
        encoder: Of the space.
        centres: Points, shape (k, dimensions), k >= 1.
        count: How many points to return.
        scale: Standard deviation of a step, in units of the range; a discrete value moves by at least one.
        generator: Source of randomness.
    """
    dimensions = encoder.dimensions
    points = centres[generator.integers(len(centres), size=count)].copy()
    moved = generator.random((count, dimensions)) < max(2.0 / dimensions, 0.3)
    moved[np.arange(count), generator.integers(dimensions, size=count)] = True
    for i in range(dimensions):
        width = max(scale, encoder.step_of(i))
        step = generator.normal(0.0, width, count)
        fresh = generator.random(count)
        target = points[:, i] + step if encoder.is_ordered(i) else fresh
        points[:, i] = np.where(moved[:, i], target, points[:, i])
    # Folded back at the ends, so that the ends themselves are no magnets.
    folded = np.abs(points)
    return encoder.snap(np.where(folded > 1.0, 2.0 - folded, folded))
