"""Schedulers without rungs: the median rule, i-epoch, patience, and the default, which combines two of them."""

from __future__ import annotations

import statistics

from automl.schedulers.asha import MIN_PEERS
from automl.schedulers.base import Report, Scheduler


class MedianScheduler(Scheduler):
    """Stops a trial whose best so far is worse than the median of its peers' at the same epoch.

    Source: the median stopping rule of Golovin et al. 2017 (Vizier), with the best value in place of the mean.
    """

    def _reason(self, report: Report) -> str:
        return _below_median(self, report)


def _below_median(curves: Scheduler, report: Report) -> str:
    peers = curves.peers_at(report.trial, report.epoch)
    value, _ = curves.top_of(report.trial)
    if len(peers) < MIN_PEERS or value >= statistics.median(peers):
        return ""
    middle = curves.shown(statistics.median(peers))
    return f"epoch {report.epoch + 1}: {curves.shown(value)} is worse than the median of its peers, {middle}"


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
        self._probed: dict[int, float] = {}

    def _reason(self, report: Report) -> str:
        if report.trial in self._probed:
            return ""
        value, _ = self.top_of(report.trial)
        place = 1 + sum(other > value for other in self._probed.values())
        self._probed[report.trial] = value
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
        top, reached = self.top_of(report.trial)
        waited = report.epoch - reached
        if waited < self._patience:
            return ""
        return f"epoch {report.epoch + 1}: no improvement on {self.shown(top)} for {waited} epochs"


class AutoScheduler(PatienceScheduler):
    """The median rule, and patience with trials behind the best one.

    The best trial so far is never stopped for lack of improvement: with a decaying learning rate its last epochs are
    its best ones. A trial behind it that does not improve will hardly overtake it.
    """

    def _reason(self, report: Report) -> str:
        top, _ = self.top_of(report.trial)
        leader = max(max(curve.values()) for curve in self._best.values())
        reason = super()._reason(report)
        behind = f"{reason}, while another trial reached {self.shown(leader)}" if reason and top < leader else ""
        return _below_median(self, report) or behind
