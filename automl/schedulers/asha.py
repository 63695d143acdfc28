"""Asynchronous successive halving, in its stopping and in its pausing form, and Hyperband.

Stopping: at each rung a trial continues when it is among the best third (1 / eta) of the trials that reached that rung
before it, itself included. Nothing is stopped before four trials reached the rung.

Pausing, for trainers that resume from their checkpoints: at each rung a trial continues when it is among the best
``floor(n / eta)`` of the n trials that reached it, else it is paused; whenever a slot is free, the best paused trial
that has come into that share since continues. A good trial that came early is not compared with too few others, and a
bad one costs one rung. Source: Li et al. 2020 (arXiv:1810.05934), algorithm 2.
"""

from __future__ import annotations

import math
from bisect import bisect, bisect_left, insort
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

from automl.schedulers.base import Action, Report, Scheduler

if TYPE_CHECKING:
    from collections.abc import Collection

MIN_PEERS = 3
"""Other trials that must have come as far before anything is stopped."""


class Rung:
    """The trials that have reached one rung, with their best values when they arrived.

    Attributes:
        arrived: Those trials.
        has_passed: A trial went on from here.
    """

    def __init__(self) -> None:
        self.arrived: set[int] = set()
        self.has_passed = False
        self._ranked: list[tuple[float, int]] = []
        """(value, negated; trial), the best first."""
        self._held: dict[int, tuple[float, int]] = {}
        self._held_ranked: list[tuple[float, int]] = []

    def places(self, eta: float) -> int:
        """Return how many trials are the best ``floor(n / eta)``."""
        return int(len(self.arrived) / eta)

    def rank(self, key: tuple[float, int]) -> int:
        """Return how many trials are before this one, the best first; of equal ones the first number."""
        return bisect_left(self._ranked, key)

    def better_than(self, value: float) -> int:
        """Return how many trials had a better value."""
        return bisect_left(self._ranked, (-value, -1))

    def value_at(self, place: int) -> float:
        """Return the value at a place from 0, the best first, or the worst value beyond it."""
        return -self._ranked[min(place, len(self._ranked) - 1)][0]

    def arrive(self, trial: int, value: float) -> int:
        """Let a trial arrive; return its rank."""
        key = (-value, trial)
        self.arrived.add(trial)
        insort(self._ranked, key)
        return self.rank(key)

    def hold(self, trial: int, value: float) -> None:
        """Let a trial wait here."""
        self._held[trial] = (-value, trial)
        insort(self._held_ranked, self._held[trial])

    def release(self, trial: int) -> None:
        """Let a trial wait here no longer."""
        if (key := self._held.pop(trial, None)) is not None:
            del self._held_ranked[bisect_left(self._held_ranked, key)]

    def best_held(self, among: Collection[int]) -> tuple[float, int] | None:
        """Return the best of some trials that waits here."""
        return next((key for key in self._held_ranked if key[1] in among), None)


class AshaScheduler(Scheduler):
    """Stops a trial that is not in the best share of a rung when it arrives there.

    Args:
        rungs: Numbers of epochs, ascending.
        eta: The inverse of the share that continues, > 1.
    """

    def __init__(self, rungs: tuple[int, ...], eta: float = 3.0) -> None:
        super().__init__()
        self._epochs = rungs
        self._eta = eta
        self._rungs: dict[tuple[int, int], Rung] = defaultdict(Rung)
        """(bracket, epochs) -> the rung."""

    def bracket_of(self, trial: int) -> int:
        """Return the bracket of a trial: bracket k starts at the k-th rung and is compared by itself."""
        del trial
        return 0

    def _reason(self, report: Report) -> str:
        """Pass every rung that the report reaches, until one ends the trial; reports may skip epochs."""
        bracket = self.bracket_of(report.trial)
        for epochs in self._epochs[bracket:]:
            rung = self._rungs[bracket, epochs]
            if report.epoch + 1 < epochs or report.trial in rung.arrived:
                continue
            value, _ = self._curves.top_of(report.trial)
            if reason := self._arrive(rung, report.trial, value):
                return f"rung {epochs}: {reason}"
        return ""

    def _arrive(self, rung: Rung, trial: int, value: float) -> str:
        """Let a trial arrive at a rung; return why it ends there, given the trials that were there before."""
        reason = ""
        if len(rung.arrived) >= MIN_PEERS and not is_in_best_share(value, rung, self._eta):
            needed = self.shown(last_of_best_share(rung, self._eta))
            reason = f"{self.shown(value)} is not among the best 1/{self._eta:g}, which ends at {needed}"
        rung.arrive(trial, value)
        return reason


class PausingAshaScheduler(AshaScheduler):
    """Pauses a trial at each rung until it is in the best share of those that reached it."""

    ending: ClassVar[Action] = Action.PAUSE

    def next_promotion(self, paused: Collection[int], *, is_last: bool = False) -> int | None:
        """Return the best paused trial of the highest rung that has one in its best share.

        A study of few trials would end with none that was trained to the end, so at its end the best one goes on.
        """
        rungs = [self._rungs[0, epochs] for epochs in reversed(self._epochs)]
        best = [(rung, key) for rung in rungs if (key := rung.best_held(paused)) is not None]
        chosen = [key for rung, key in best if rung.rank(key) < rung.places(self._eta)]
        if not chosen and is_last and rungs and not rungs[0].has_passed:
            chosen = [key for _, key in best]
        return chosen[0][1] if chosen else None

    def promote(self, trial: int) -> None:
        """Let a paused trial pass the rung that it waits at."""
        super().promote(trial)
        for rung in self._rungs.values():
            rung.release(trial)
            rung.has_passed |= trial in rung.arrived

    def forget(self, trial: int) -> None:
        """Note that a trial has ended; it still counts among those that reached its rungs."""
        super().forget(trial)
        for rung in self._rungs.values():
            rung.release(trial)

    def _arrive(self, rung: Rung, trial: int, value: float) -> str:
        rank, places = rung.arrive(trial, value), rung.places(self._eta)
        if rank < places:
            rung.has_passed = True
            return ""
        rung.hold(trial, value)
        count = len(rung.arrived)
        return f"{self.shown(value)} is not among the best {places} of the {count} trials that reached it"


class HyperbandScheduler(AshaScheduler):
    """Several ASHA brackets with longer and longer grace; a trial's number decides its bracket."""

    def bracket_of(self, trial: int) -> int:
        """Return the bracket of a trial; 0 has the shortest grace."""
        # As many trials per bracket as Hyperband's: the most aggressive bracket gets the largest part.
        left = range(len(self._epochs), -1, -1)
        ends = list(accumulate(max(1, round(self._eta**rungs / (rungs + 1))) for rungs in left))
        return bisect(ends, trial % ends[-1])


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
    while level < max_epochs and round(level) < max_epochs:  # infinite, it cannot be rounded
        rungs.append(round(level))
        level *= eta
    return tuple(dict.fromkeys(rungs))


def is_in_best_share(value: float, others: Rung, eta: float) -> bool:
    """Tell whether a value is among the best ``1 / eta`` of itself and the others; at least one place is kept."""
    return others.better_than(value) < _places(others, eta)


def last_of_best_share(others: Rung, eta: float) -> float:
    """Return the value that a newcomer has to reach to be in the best share of a rung that has trials."""
    return others.value_at(_places(others, eta) - 1)


def _places(others: Rung, eta: float) -> int:
    return max(1, math.ceil((len(others.arrived) + 1) / eta))
