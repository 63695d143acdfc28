"""The best values so far of every trial, and how the trials compare at an epoch: each report costs the same.

Of a trial only the epochs are kept at which it improved. The values of all trials at an epoch are put in order once,
when the epoch is asked about, and kept so.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort


class Curve:
    """A trial's best so far: the epochs at which it improved, and the last one that it reported."""

    __slots__ = ("_epochs", "_values", "last")

    def __init__(self) -> None:
        self._epochs = array("q")
        self._values = array("d")
        self.last = -1

    @property
    def top(self) -> tuple[float, int]:
        """The best value, and the first epoch that reached it."""
        return self._values[-1], self._epochs[-1]

    def add(self, epoch: int, value: float) -> None:
        """Take the value of an epoch over."""
        self.last = max(self.last, epoch)
        place = bisect_right(self._epochs, epoch)
        if place and self._values[place - 1] >= value:
            return
        better = bisect_right(self._values, value, lo=place)
        self._epochs[place:better] = array("q", [epoch])
        self._values[place:better] = array("d", [value])

    def at(self, epoch: int) -> float | None:
        """Return the best value up to an epoch; None if the trial has not come that far, or had no value by then."""
        place = bisect_right(self._epochs, epoch)
        return self._values[place - 1] if place and epoch <= self.last else None


class Curves:
    """The curves of a study's trials."""

    def __init__(self) -> None:
        self._of: dict[int, Curve] = {}
        self._ranked: dict[int, array[float]] = {}
        """Epoch -> the best values up to it of all trials that have come that far, the worst first."""

    @property
    def last_trial(self) -> int:
        """The highest number of a trial that has reported."""
        return max(self._of, default=-1)

    def add(self, trial: int, epoch: int, value: float) -> None:
        """Take a report over."""
        curve = self._of.setdefault(trial, Curve())
        before = curve.last
        curve.add(epoch, value)
        if epoch <= before:  # out of turn: what was put in order from here on may be wrong
            self._ranked = {at: ranked for at, ranked in self._ranked.items() if at < epoch}
            return
        passed = range(before + 1, epoch + 1)
        for at in passed if len(passed) < len(self._ranked) else list(self._ranked):
            if at in passed and at in self._ranked and (best := curve.at(at)) is not None:
                insort(self._ranked[at], best)

    def top_of(self, trial: int) -> tuple[float, int]:
        """Return the best value of a trial that has reported, and the first epoch that reached it."""
        return self._of[trial].top

    def best_at(self, trial: int, epoch: int) -> float | None:
        """Return a trial's best value up to an epoch, or None if it has not come that far."""
        return self._of[trial].at(epoch) if trial in self._of else None

    def peers_at(self, trial: int, epoch: int) -> tuple[int, float]:
        """Return how many other trials have come as far as an epoch, and the median of their best values up to it."""
        if epoch not in self._ranked:
            found = (curve.at(epoch) for curve in self._of.values())
            self._ranked[epoch] = array("d", sorted(value for value in found if value is not None))
        ranked, own = self._ranked[epoch], self.best_at(trial, epoch)
        place = len(ranked) if own is None else bisect_left(ranked, own)
        count = len(ranked) - (own is not None)
        if not count:
            return 0, float("nan")
        low, high = (ranked[i + (i >= place)] for i in ((count - 1) // 2, count // 2))
        return count, low if low == high else (low + high) / 2
