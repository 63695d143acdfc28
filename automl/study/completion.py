"""What a trial that was stopped early would have reached: its last value plus what others gained from there on."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Curve = Sequence[tuple[int, float]]


class Completion:
    """Completes the values of stopped trials by those that were trained to their end.

    Args:
        completed: Curve and value of each of those; values larger is better, curves in order of epochs.
    """

    def __init__(self, completed: Iterable[tuple[Curve, float]]) -> None:
        self._completed = tuple(completed)
        self._ceiling = max((value for _, value in self._completed), default=0.0)
        self._gain = cache(self._median_gain)

    def of(self, value: float, curve: Curve) -> float:
        """Return what a stopped trial would have reached: at least its value, at most the best completed one otherwise.

        Args:
            value: Its best one, larger is better.
            curve: (epoch, value) as far as it came.
        """
        if not curve or (gain := self._gain(curve[-1][0])) is None:
            return value
        return float(max(value, min(curve[-1][1] + gain, self._ceiling)))

    def _median_gain(self, epoch: int) -> float | None:
        """Return what trials gained from an epoch to their end; None where none has a value of it."""
        found = [value - at for curve, value in self._completed for e, at in _from(curve, epoch) if e == epoch]
        return float(median(found)) if found else None


def _from(curve: Curve, epoch: int) -> Curve:
    place = bisect_left(curve, (epoch, -math.inf))
    return curve[place : place + 1]
