"""The default rule: stop what is worse than the middle, and what stands still behind the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.schedulers.base import GO_ON, Decision, Report, Verdict
from automl.schedulers.curves import CurveScheduler

if TYPE_CHECKING:
    from automl.schedulers.simple import MedianScheduler


class AutoScheduler(CurveScheduler):
    """The median rule, and patience with trials that are behind the best one.

    The best trial so far is never stopped for standing still: with a decaying learning rate its last epochs are its
    best ones. A trial behind it that stands still will hardly overtake it.

    Args:
        median: Decides first.
        patience: Epochs that a trial may stand still behind the best one.
        grace: Epochs that every trial gets.
    """

    def __init__(self, median: MedianScheduler, patience: int, grace: int) -> None:
        super().__init__()
        self._median = median
        self._patience = patience
        self._grace = grace

    def show_as(self, sign: float) -> None:
        """Set the factor on values in reasons, also in those of the median rule."""
        super().show_as(sign)
        self._median.show_as(sign)

    def _decide(self, report: Report) -> Verdict:
        verdict = self._median.judge(report)
        if verdict.decision is Decision.STOP:
            return verdict
        top, reached = self.top_of(report.trial)
        waited = report.epoch - reached
        if report.epoch + 1 < self._grace or waited < self._patience:
            return GO_ON
        leader = self.best_of_others(report.trial)
        if leader is None or top >= leader:
            return GO_ON
        place = f"epoch {report.epoch + 1}: no improvement on {self.shown(top)} for {waited} epochs"
        return Verdict(decision=Decision.STOP, reason=f"{place}, while another trial reached {self.shown(leader)}")
