"""Asynchronous successive halving, in its stopping and in its pausing form, and Hyperband.

Stopping: at each rung a trial continues when it is among the best third (1 / eta) of the trials that reached that rung
before it, itself included. Nothing is stopped before four trials reached the rung.

Pausing, for trainers that resume from their checkpoints: at each rung a trial continues when it is among the best
``floor(n / eta)`` of the n trials that reached it, else it is paused; whenever a slot is free, the best paused trial
that has come into that share since continues. A good trial that came early is not compared with too few others, and a
bad one costs one rung. Source: Li et al. 2020 (arXiv:1810.05934), algorithm 2.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from automl.schedulers.base import GO_ON, Action, Decision, Report
from automl.schedulers.curves import CurveScheduler
from automl.schedulers.rungs import is_in_best_share, last_of_best_share

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MIN_PEERS = 3
"""Other trials that must have reached a rung before it stops anything."""


class RungScheduler(CurveScheduler):
    """Compares a trial with others when it reaches a rung.

    Args:
        rungs: Numbers of epochs, ascending.
        eta: The inverse of the share that continues, > 1.
    """

    def __init__(self, rungs: tuple[int, ...], eta: float) -> None:
        super().__init__()
        self._rungs = rungs
        self._eta = eta
        self._recorded: dict[int, dict[int, float]] = {rung: {} for rung in rungs}

    def _decide(self, report: Report) -> Decision:
        """Pass every rung that the report reaches, until one ends the trial; reports may skip epochs."""
        for rung in self._rungs:
            if report.epoch + 1 < rung or report.trial in self._recorded[rung]:
                continue
            value = self.best_at(report.trial, report.epoch)
            assert value is not None  # noqa: S101 - the report itself is in the curve
            others = tuple(self._recorded[rung].values())
            self._recorded[rung][report.trial] = value
            decision = self._compare(rung, report.trial, others)
            if decision.action is not Action.CONTINUE:
                return decision
        return GO_ON

    @abstractmethod
    def _compare(self, rung: int, trial: int, others: tuple[float, ...]) -> Decision:
        """Decide about a trial whose value at a rung is recorded, given the values that were there before."""


class AshaScheduler(RungScheduler):
    """Stops a trial that is not in the best share of a rung when it arrives there.

    Args:
        rungs: Numbers of epochs, ascending.
        eta: The inverse of the share that continues, > 1.
        min_peers: Other trials that must have reached a rung before it stops anything.
    """

    def __init__(self, rungs: tuple[int, ...], eta: float = 3.0, min_peers: int = MIN_PEERS) -> None:
        super().__init__(rungs, eta)
        self._min_peers = min_peers

    def _compare(self, rung: int, trial: int, others: tuple[float, ...]) -> Decision:
        value = self._recorded[rung][trial]
        if len(others) < self._min_peers or is_in_best_share(value, others, self._eta):
            return GO_ON
        return Decision(action=Action.STOP, reason=self._reason(rung, value, others))

    def _reason(self, rung: int, value: float, others: tuple[float, ...]) -> str:
        needed = self.shown(last_of_best_share(others, self._eta))
        return f"rung {rung}: {self.shown(value)} is not among the best 1/{self._eta:g}, which ends at {needed}"


class PausingAshaScheduler(RungScheduler):
    """Pauses a trial at each rung until it is in the best share of those that reached it.

    Args:
        rungs: Numbers of epochs, ascending.
        eta: The inverse of the share that continues, > 1.
    """

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
            candidates = [trial for trial in of(rung) if trial in paused and trial not in self._passed[rung]]
            if candidates:
                return candidates[0]
        return None

    def promote(self, trial: int) -> None:
        """Let a paused trial pass the rung that it waits at."""
        super().promote(trial)
        waiting = [rung for rung in self._rungs if trial in self._recorded[rung] and trial not in self._passed[rung]]
        for rung in waiting:
            self._passed[rung].add(trial)

    def _share(self, rung: int) -> list[int]:
        """Return the best ``floor(n / eta)`` of the n trials that reached a rung, best first."""
        return self._ranked(rung)[: int(len(self._recorded[rung]) / self._eta)]

    def _ranked(self, rung: int) -> list[int]:
        values = self._recorded[rung]
        return sorted(values, key=lambda trial: (-values[trial], trial))

    def _compare(self, rung: int, trial: int, others: tuple[float, ...]) -> Decision:
        share = self._share(rung)
        if trial in share:
            self._passed[rung].add(trial)
            return GO_ON
        value, reached = self._recorded[rung][trial], len(others) + 1
        words = f"{self.shown(value)} is not among the best {len(share)} of the {reached} trials that reached it"
        return Decision(action=Action.PAUSE, reason=f"rung {rung}: {words}")


class HyperbandScheduler(CurveScheduler):
    """Several ASHA brackets with longer and longer grace; a trial's number decides its bracket.

    Args:
        rungs: Numbers of epochs, ascending; bracket k starts at the k-th.
        eta: The inverse of the share that continues, > 1.
    """

    def __init__(self, rungs: tuple[int, ...], eta: float = 3.0) -> None:
        super().__init__()
        self._brackets = tuple(AshaScheduler(rungs[k:], eta) for k in range(len(rungs) + 1))
        # As many trials per bracket as Hyperband's: the most aggressive bracket gets the largest part.
        shares = [max(1, round(eta ** (len(rungs) - k) / (len(rungs) - k + 1))) for k in range(len(rungs) + 1)]
        self._shares = tuple(shares)

    def show_as(self, sign: float) -> None:
        """Set the factor on values in reasons, in every bracket."""
        for bracket in self._brackets:
            bracket.show_as(sign)

    def bracket_of(self, trial: int) -> int:
        """Return the bracket of a trial; 0 has the shortest grace."""
        position = trial % sum(self._shares)
        for bracket, share in enumerate(self._shares):
            position -= share
            if position < 0:
                return bracket
        return len(self._shares) - 1

    def _decide(self, report: Report) -> Decision:
        return self._brackets[self.bracket_of(report.trial)].decide(report)
