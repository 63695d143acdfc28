"""Schedulers without rungs: the median rule, i-epoch, patience, and the default, which combines two of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from automl.schedulers.asha import MIN_PEERS
from automl.schedulers.base import Report, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.schedulers.curves import Curves


class MedianScheduler(Scheduler):
    """Stops a trial whose best so far is worse than the median of its peers' at the same epoch.

    Source: the median stopping rule of Golovin et al. 2017 (Vizier), with the best value in place of the mean.
    """

    def _reason(self, report: Report) -> str:
        return _below_median(self._curves, report, self.shown)


def _below_median(curves: Curves, report: Report, shown: Callable[[float], str]) -> str:
    peers, median = curves.peers_at(report.trial, report.epoch)
    value, _ = curves.top_of(report.trial)
    if peers < MIN_PEERS or value >= median:
        return ""
    return f"epoch {report.epoch + 1}: {shown(value)} is worse than the median of its peers, {shown(median)}"


class IEpochScheduler(Scheduler):
    """Trains every trial for a few epochs and continues those that are among the best K so far.

    Args:
        probe_epochs: Epochs that every trial gets.
        keep: K, at least 1.

    Source: Bohdal et al. 2023 and Egele et al. 2023 (arXiv:2307.15422), in a form that needs no pause.
    """

    def __init__(self, probe_epochs: int, keep: int) -> None:
        super().__init__(probe_epochs)
        self._keep = keep
        self._probed: set[int] = set()
        self._ranked: list[float] = []
        """The values of those, negated, the best first."""

    def _reason(self, report: Report) -> str:
        if report.trial in self._probed:
            return ""
        value, _ = self._curves.top_of(report.trial)
        self._probed.add(report.trial)
        insort(self._ranked, -value)
        place = 1 + bisect_left(self._ranked, -value)
        if place <= self._keep:
            return ""
        return f"epoch {self._grace}: {self.shown(value)} is number {place}; the best {self._keep} continue"


class PatienceScheduler(Scheduler):
    """Stops a trial that has not improved on itself for some epochs.

    Args:
        patience: Epochs without improvement, at least 1.
        grace: Epochs that every trial gets.
    """

    def __init__(self, patience: int, grace: int) -> None:
        super().__init__(grace)
        self._patience = patience

    def _reason(self, report: Report) -> str:
        top, reached = self._curves.top_of(report.trial)
        waited = report.epoch - reached
        if waited < self._patience:
            return ""
        return f"epoch {report.epoch + 1}: no improvement on {self.shown(top)} for {waited} epochs"


class AutoScheduler(PatienceScheduler):
    """Patience, and the median rule for a trial that is below the median at two reports in a row.

    One report below it says little where most trials are good: a slow one would be lost. Both were measured on recorded
    learning curves (benchmarks, suite B), with constant and with decaying learning rates.
    """

    def __init__(self, patience: int, grace: int) -> None:
        super().__init__(patience, grace)
        self._were_below: set[int] = set()

    def _reason(self, report: Report) -> str:
        below, was_below = _below_median(self._curves, report, self.shown), report.trial in self._were_below
        (self._were_below.add if below else self._were_below.discard)(report.trial)
        return (below if was_below else "") or super()._reason(report)
