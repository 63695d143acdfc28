"""What schedulers keep: the reports of each trial and the decisions about them."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict

from automl.schedulers.base import GO_ON, Action, Decision, Report, Scheduler


class CurveScheduler(Scheduler):
    """Keeps curves and first decisions, so that repeating a report repeats its decision.

    A trial's *best so far* at an epoch is its best value up to it: the best checkpoint is what a trial is worth.
    A stopped trial stays stopped, whatever it still reports, and a paused one paused until it is promoted.
    """

    def __init__(self) -> None:
        self._best: dict[int, dict[int, float]] = defaultdict(dict)
        self._decisions: dict[tuple[int, int], Decision] = {}
        self._stopped: dict[int, Decision] = {}
        self._shown_sign = 1.0

    def show_as(self, sign: float) -> None:
        """Set the factor on values in reasons: -1 for a minimised metric, whose reports are negated."""
        self._shown_sign = sign

    def shown(self, value: float) -> str:
        """Return a value as it was measured, with four digits."""
        return f"{self._shown_sign * value:.4g}"

    def decide(self, report: Report) -> Decision:
        """Observe one report and decide; the same (trial, epoch) gets the first decision again."""
        key = (report.trial, report.epoch)
        if key in self._decisions:
            return self._decisions[key]
        ended = self._stopped.get(report.trial)
        if ended is not None and ended.action is Action.PAUSE:
            return ended  # not remembered: what comes after the decision is repeated when the trial continues
        if ended is not None:
            decision = ended
        else:
            previous = max(self._best[report.trial].values(), default=report.value)
            self._best[report.trial][report.epoch] = max(previous, report.value)
            decision = self._decide(report)
        self._decisions[key] = decision
        if decision.action in {Action.STOP, Action.PAUSE}:
            self._stopped[report.trial] = decision
        return decision

    def promote(self, trial: int) -> None:
        """Note that a paused trial continues: the decision that paused it is no longer repeated."""
        self._stopped.pop(trial, None)
        for key, decision in self._decisions.items():
            if key[0] == trial and decision.action is Action.PAUSE:
                self._decisions[key] = GO_ON

    @abstractmethod
    def _decide(self, report: Report) -> Decision:
        """Decide about a report that is already in the curves."""

    def finished(self, trial: int) -> None:
        """Note that a trial will report no more; its curve still counts."""

    def best_at(self, trial: int, epoch: int) -> float | None:
        """Return a trial's best value up to an epoch, or None if it has not come that far."""
        curve = self._best[trial]
        if not curve or max(curve) < epoch:
            return None
        return max((value for at, value in curve.items() if at <= epoch), default=None)

    def top_of(self, trial: int) -> tuple[float, int]:
        """Return the best value of a trial that has reported, and the first epoch that reached it."""
        curve = self._best[trial]
        top = max(curve.values())
        return top, min(epoch for epoch, value in curve.items() if value == top)

    def best_of_others(self, trial: int) -> float | None:
        """Return the best value of any other trial, or None if none has reported."""
        return max((max(c.values()) for other, c in self._best.items() if other != trial and c), default=None)

    def peers_at(self, trial: int, epoch: int) -> list[float]:
        """Return the best values up to an epoch of the other trials that have come that far."""
        found = [self.best_at(other, epoch) for other in tuple(self._best) if other != trial]
        return [value for value in found if value is not None]


class NoScheduler(CurveScheduler):
    """Stops nothing."""

    def _decide(self, report: Report) -> Decision:
        del report
        return GO_ON
