"""Comparing trials on several objectives; every value is turned so that larger is better."""

from __future__ import annotations

import numpy as np


def fronts(values: np.ndarray) -> np.ndarray:
    """Return the front of each point: 0 for those that no other point dominates, 1 for those without the first, ...

    Args:
        values: Shape (n, objectives).

    Returns:
        Integers, shape (n,).
    """
    count = len(values)
    at_least = (values[:, None, :] >= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] > values[None, :, :]).any(axis=2)
    dominates = at_least & better
    ranks = np.full(count, -1)
    remaining = np.ones(count, dtype=bool)
    front = 0
    while remaining.any():
        free = remaining & ~(dominates & remaining[:, None]).any(axis=0)
        ranks[free] = front
        remaining &= ~free
        front += 1
    return ranks


def crowding(values: np.ndarray) -> np.ndarray:
    """Return how lonely each point of one front is: infinite at the ends of an objective, shape (n,).

    Source: the crowding distance of NSGA-II (Deb et al. 2002).
    """
    count, objectives = values.shape
    distance = np.zeros(count)
    for k in range(objectives):
        order = np.argsort(values[:, k], kind="stable")
        ordered = values[order, k]
        spread = ordered[-1] - ordered[0]
        distance[order[[0, -1]]] = np.inf
        if count > 2 and spread > 0:  # noqa: PLR2004 - two points are both ends
            distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / spread
    return distance


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
