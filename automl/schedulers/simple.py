"""Schedulers without rungs: the median rule, i-epoch, patience, and the default, which combines two of them."""

from __future__ import annotations

from automl.schedulers.asha import MIN_PEERS
from automl.schedulers.base import GO_ON, Action, Decision, Report
from automl.schedulers.curves import CurveScheduler
from automl.schedulers.rungs import median, rank


class MedianScheduler(CurveScheduler):
    """Stops a trial whose best so far is worse than the median of its peers' at the same epoch.

    Args:
        grace: Epochs that every trial gets.
        min_peers: Other trials that must have come as far before anything is stopped.

    Source: the median stopping rule of Golovin et al. 2017 (Vizier), with the best value in place of the mean.
    """

    def __init__(self, grace: int, min_peers: int = MIN_PEERS) -> None:
        super().__init__()
        self._grace = grace
        self._min_peers = min_peers

    def _decide(self, report: Report) -> Decision:
        peers = self.peers_at(report.trial, report.epoch)
        if report.epoch + 1 < self._grace or len(peers) < self._min_peers:
            return GO_ON
        value, middle = self.best_at(report.trial, report.epoch), median(peers)
        if value is None or value >= middle:
            return GO_ON
        reason = (
            f"epoch {report.epoch + 1}: {self.shown(value)} is worse than the median of its peers, {self.shown(middle)}"
        )
        return Decision(action=Action.STOP, reason=reason)


class IEpochScheduler(CurveScheduler):
    """Trains every trial for a few epochs and continues those that are among the best K so far.

    Args:
        probe_epochs: Epochs that every trial gets.
        keep: K, at least 1.

    Source: Bohdal et al. 2023 and Egele et al. 2023 (arXiv:2307.15422), in a form that needs no pause.
    """

    def __init__(self, probe_epochs: int, keep: int) -> None:
        super().__init__()
        self._probe_epochs = probe_epochs
        self._keep = keep
        self._probed: dict[int, float] = {}

    def _decide(self, report: Report) -> Decision:
        if report.epoch + 1 < self._probe_epochs or report.trial in self._probed:
            return GO_ON
        value = self.best_at(report.trial, report.epoch)
        assert value is not None  # noqa: S101 - the report itself is in the curve
        place = rank(value, tuple(self._probed.values())) + 1
        self._probed[report.trial] = value
        if place <= self._keep:
            return GO_ON
        reason = f"epoch {self._probe_epochs}: {self.shown(value)} is number {place}; the best {self._keep} continue"
        return Decision(action=Action.STOP, reason=reason)


class PatienceScheduler(CurveScheduler):
    """Stops a trial that has not improved on itself for some epochs.

    Args:
        patience: Epochs without improvement, at least 1.
        grace: Epochs that every trial gets.
    """

    def __init__(self, patience: int, grace: int) -> None:
        super().__init__()
        self._patience = patience
        self._grace = grace

    def _decide(self, report: Report) -> Decision:
        top, reached = self.top_of(report.trial)
        waited = report.epoch - reached
        if report.epoch + 1 < self._grace or waited < self._patience:
            return GO_ON
        reason = f"epoch {report.epoch + 1}: no improvement on {self.shown(top)} for {waited} epochs"
        return Decision(action=Action.STOP, reason=reason)


class AutoScheduler(CurveScheduler):
    """The median rule, and patience with trials behind the best one.

    The best trial so far is never stopped for lack of improvement: with a decaying learning rate its last epochs are
    its best ones. A trial behind it that does not improve will hardly overtake it.

    Args:
        median: Decides first.
        patience: Epochs without improvement behind the best trial.
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

    def _decide(self, report: Report) -> Decision:
        decision = self._median.decide(report)
        if decision.action is Action.STOP:
            return decision
        top, reached = self.top_of(report.trial)
        waited = report.epoch - reached
        if report.epoch + 1 < self._grace or waited < self._patience:
            return GO_ON
        leader = self.best_of_others(report.trial)
        if leader is None or top >= leader:
            return GO_ON
        place = f"epoch {report.epoch + 1}: no improvement on {self.shown(top)} for {waited} epochs"
        return Decision(action=Action.STOP, reason=f"{place}, while another trial reached {self.shown(leader)}")
