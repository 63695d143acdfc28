"""Means with their uncertainty."""

from __future__ import annotations

import numpy as np


def interval(values: np.ndarray, form: str) -> str:
    """Return the mean and its 95 % bootstrap interval as text.

    Args:
        values: Shape (n,).
        form: Format of each number.
    """
    generator = np.random.default_rng(0)
    means = values[generator.integers(len(values), size=(10_000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():{form}} [{low:{form}}, {high:{form}}]"
