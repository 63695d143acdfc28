"""The arithmetic of schedulers: rungs, shares, medians. Pure, and the same for every replay of the same reports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def rung_epochs(grace: int, eta: float, max_epochs: int) -> tuple[int, ...]:
    """Return after how many epochs trials are compared: ``grace * eta**k``, below ``max_epochs``.

    Args:
        grace: Epochs that every trial gets, >= 1.
        eta: Factor between rungs, > 1.
        max_epochs: Epochs of a full trial; a comparison at its end would stop nothing.
    """
    if grace < 1 or eta <= 1:
        raise ValueError(f"rungs need grace >= 1 and eta > 1, not {grace} and {eta}")
    rungs: list[int] = []
    level = float(grace)
    while round(level) < max_epochs:
        if not rungs or round(level) > rungs[-1]:
            rungs.append(round(level))
        level *= eta
    return tuple(rungs)


def grace_epochs(max_epochs: int | None, *, wanted: int | None, warmup: int) -> int:
    """Return how many epochs every trial gets: a tenth of a full trial, at least the warm-up, at least 1.

    Args:
        max_epochs: Epochs of a full trial, where known.
        wanted: What the user asked for; replaces the tenth, not the warm-up.
        warmup: Warm-up epochs of the learning rate: a comparison before its end compares nothing.
    """
    tenth = math.ceil((max_epochs or 1) / 10)
    return max(wanted if wanted is not None else tenth, warmup, 1)


def rank(value: float, others: Sequence[float]) -> int:
    """Return how many of the others are strictly better (larger); 0 is the best rank."""
    return sum(other > value for other in others)


def is_in_best_share(value: float, others: Sequence[float], eta: float) -> bool:
    """Tell whether a value is among the best ``1 / eta`` of itself and the others; at least one place is kept.

    Args:
        value: Larger is better.
        others: The values that reached the same rung before.
        eta: The inverse of the share, > 1.
    """
    places = max(1, math.ceil((len(others) + 1) / eta))
    return rank(value, others) < places


def last_of_best_share(others: Sequence[float], eta: float) -> float:
    """Return the value that a newcomer has to reach to be in the best share; ``others`` must not be empty."""
    places = max(1, math.ceil((len(others) + 1) / eta))
    return sorted(others, reverse=True)[min(places, len(others)) - 1]


def median(values: Sequence[float]) -> float:
    """Return the median; ``values`` must not be empty."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
