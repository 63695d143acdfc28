"""Compare trials on several objectives; every value is turned so that larger is better."""

from __future__ import annotations

import numpy as np


def scalarised(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return one number per point: the augmented Chebyshev value of its objectives, each scaled to [0, 1].

    Args:
        values: Shape (n, objectives), n >= 1.
        weights: One per objective, >= 0, sum 1.

    Returns:
        Larger is better, shape (n,).

    Source: ParEGO (Knowles 2006).
    """
    low, high = values.min(axis=0), values.max(axis=0)
    loss = weights * (high - values) / np.where(high > low, high - low, 1.0)
    return np.asarray(-(loss.max(axis=1) + 0.05 * loss.sum(axis=1)))
