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
from bisect import bisect
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

from automl.schedulers.base import Action, Report, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

MIN_PEERS = 3
"""Other trials that must have come as far before anything is stopped."""


class AshaScheduler(Scheduler):
    """Stops a trial that is not in the best share of a rung when it arrives there.

    Args:
        rungs: Numbers of epochs, ascending.
        eta: The inverse of the share that continues, > 1.
    """

    def __init__(self, rungs: tuple[int, ...], eta: float = 3.0) -> None:
        super().__init__()
        self._rungs = rungs
        self._eta = eta
        # (bracket, rung) -> trial -> its best value when it arrived
        self._recorded: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)

    def bracket_of(self, trial: int) -> int:
        """Return the bracket of a trial: bracket k starts at the k-th rung and is compared by itself."""
        del trial
        return 0

    def _reason(self, report: Report) -> str:
        """Pass every rung that the report reaches, until one ends the trial; reports may skip epochs."""
        bracket = self.bracket_of(report.trial)
        for rung in self._rungs[bracket:]:
            recorded = self._recorded[bracket, rung]
            if report.epoch + 1 < rung or report.trial in recorded:
                continue
            others = tuple(recorded.values())
            recorded[report.trial], _ = self.top_of(report.trial)
            if reason := self._compare(rung, report.trial, recorded[report.trial], others):
                return f"rung {rung}: {reason}"
        return ""

    def _compare(self, rung: int, trial: int, value: float, others: tuple[float, ...]) -> str:
        """Return why a trial whose value at a rung is recorded ends there, given the values that were there before."""
        del rung, trial
        if len(others) < MIN_PEERS or is_in_best_share(value, others, self._eta):
            return ""
        needed = self.shown(last_of_best_share(others, self._eta))
        return f"{self.shown(value)} is not among the best 1/{self._eta:g}, which ends at {needed}"


class PausingAshaScheduler(AshaScheduler):
    """Pauses a trial at each rung until it is in the best share of those that reached it."""

    ending: ClassVar[Action] = Action.PAUSE

    def __init__(self, rungs: tuple[int, ...], eta: float = 3.0) -> None:
        super().__init__(rungs, eta)
        self._passed: dict[int, set[int]] = {rung: set() for rung in rungs}

    def next_promotion(self, paused: Collection[int], *, is_last: bool = False) -> int | None:
        """Return the best paused trial of the highest rung that has one in its best share.

        A study of few trials would end with none that was trained to the end, so at its end the best one goes on.
        """
        chosen = self._best_waiting(paused, self._share)
        if chosen is None and is_last and self._rungs and not self._passed[self._rungs[-1]]:
            return self._best_waiting(paused, self._ranked)
        return chosen

    def _best_waiting(self, paused: Collection[int], of: Callable[[int], list[int]]) -> int | None:
        for rung in reversed(self._rungs):
            for trial in of(rung):
                if trial in paused and trial not in self._passed[rung]:
                    return trial
        return None

    def promote(self, trial: int) -> None:
        """Let a paused trial pass the rung that it waits at."""
        super().promote(trial)
        for rung in self._rungs:
            if trial in self._recorded[0, rung]:
                self._passed[rung].add(trial)

    def _share(self, rung: int) -> list[int]:
        """Return the best ``floor(n / eta)`` of the n trials that reached a rung, best first."""
        ranked = self._ranked(rung)
        return ranked[: int(len(ranked) / self._eta)]

    def _ranked(self, rung: int) -> list[int]:
        values = self._recorded[0, rung]
        return sorted(values, key=lambda trial: (-values[trial], trial))

    def _compare(self, rung: int, trial: int, value: float, others: tuple[float, ...]) -> str:
        share = self._share(rung)
        if trial in share:
            self._passed[rung].add(trial)
            return ""
        reached = len(others) + 1
        return f"{self.shown(value)} is not among the best {len(share)} of the {reached} trials that reached it"


class HyperbandScheduler(AshaScheduler):
    """Several ASHA brackets with longer and longer grace; a trial's number decides its bracket."""

    def bracket_of(self, trial: int) -> int:
        """Return the bracket of a trial; 0 has the shortest grace."""
        # As many trials per bracket as Hyperband's: the most aggressive bracket gets the largest part.
        left = range(len(self._rungs), -1, -1)
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
    while round(level) < max_epochs:
        rungs.append(round(level))
        level *= eta
    return tuple(dict.fromkeys(rungs))


def is_in_best_share(value: float, others: Sequence[float], eta: float) -> bool:
    """Tell whether a value is among the best ``1 / eta`` of itself and the others; at least one place is kept."""
    return sum(other > value for other in others) < _places(others, eta)


def last_of_best_share(others: Sequence[float], eta: float) -> float:
    """Return the value that a newcomer has to reach to be in the best share; ``others`` must not be empty."""
    return sorted(others, reverse=True)[min(_places(others, eta), len(others)) - 1]


def _places(others: Sequence[float], eta: float) -> int:
    return max(1, math.ceil((len(others) + 1) / eta))
