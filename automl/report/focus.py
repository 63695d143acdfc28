"""Which part of an objective's values is worth looking at: all of it, but for values that are hopelessly bad.

One trial at -12 makes a plot of values between 0.8 and 0.9 a straight line. The window ends where Tukey's outer fence
lies (three times the interquartile range beyond the quartile), on the bad side only: a good value is never cut off.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from automl.study.model import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

_FENCE = 3.0
_FEW = 4


def window(values: Sequence[float], direction: Direction) -> tuple[float, float]:
    """Return the lowest and the highest value to show.

    Args:
        values: At least one, finite.
        direction: Tells the bad side.
    """
    low, high = min(values), max(values)
    if len(values) < _FEW:
        return low, high
    first, _, third = statistics.quantiles(values, n=4)
    reach = _FENCE * (third - first)
    if reach == 0:
        return low, high
    if direction is Direction.MAXIMIZE:
        return max(low, min(first - reach, high)), high
    return low, min(high, max(third + reach, low))


def outside(values: Sequence[float], shown: tuple[float, float]) -> int:
    """Return how many values lie outside a window."""
    return sum(not shown[0] <= value <= shown[1] for value in values)


def clipped(values: Sequence[float], shown: tuple[float, float]) -> list[float]:
    """Return the values, those outside moved to the nearer end."""
    return [min(max(value, shown[0]), shown[1]) for value in values]
