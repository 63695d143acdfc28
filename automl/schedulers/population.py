"""Population-based training: at every interval the worst members give way to copies of the best ones.

A member that is among the worst quarter of all that came as far is stopped, and a new trial starts from the checkpoint
of a member of the best quarter, with a changed assignment (see `automl.samplers.explore`). Source: Jaderberg et al.
2017 (arXiv:1711.09846), asynchronous, with truncation selection.
"""

from __future__ import annotations

import random

from automl.schedulers.base import GO_ON, Copy, Decision, Report, Verdict
from automl.schedulers.curves import CurveScheduler


class PopulationScheduler(CurveScheduler):
    """Stops the worst members of a population and asks for copies of the best ones.

    Args:
        interval: Epochs between two comparisons.
        share: Of the members, the part that gives way; at most one half.
        trials: Trials of the study, copies included; without room for a copy nothing is stopped.
        grace: Epochs that every trial gets.
        max_epochs: Epochs of a full trial, where known: who has done them all is copied no more.
    """

    def __init__(  # numbers of one rule, by name
        self, *, interval: int, share: float, trials: int, grace: int = 1, max_epochs: int | None = None
    ) -> None:
        super().__init__()
        self._interval = interval
        self._share = share
        self._grace = grace
        self._max_epochs = max_epochs
        self._trials = trials
        self._values: dict[int, dict[int, float]] = {}
        self._ended: set[int] = set()
        self._copies: list[Copy] = []
        self._numbers = 0

    def next_copy(self) -> Copy | None:
        """Return whose copy is to start now, or None. Changes nothing."""
        return self._copies[0] if self._copies else None

    def copied(self) -> None:
        """Learn that the copy asked for has its number."""
        if self._copies:
            self._copies.pop(0)

    def _decide(self, report: Report) -> Verdict:
        self._numbers = max(self._numbers, report.trial + 1)
        done = report.epoch + 1
        if done == self._max_epochs:
            self._ended.add(report.trial)
        if done % self._interval or done < self._grace or done == self._max_epochs:
            return GO_ON
        self._values.setdefault(report.epoch, {})[report.trial] = report.value
        values = self._values[report.epoch]
        ranked = sorted(values, key=lambda trial: (-values[trial], trial))
        count = max(1, int(len(ranked) * self._share))
        living = [trial for trial in ranked if trial not in self._ended and trial != report.trial]
        has_room = self._numbers + len(self._copies) < self._trials
        if not living or report.trial not in ranked[-count:] or not has_room:
            return GO_ON
        best = [trial for trial in ranked[:count] if trial in living] or living[:1]
        # By the report alone, so that a replay chooses the same one.
        parent = random.Random(f"{report.trial}/{report.epoch}").choice(best)  # noqa: S311 # no secret
        self._copies.append(Copy(parent=parent, epoch=report.epoch))
        self._ended.add(report.trial)
        place = f"{self.shown(report.value)} is among the worst {count} of {len(ranked)}"
        reason = f"epoch {report.epoch + 1}: {place}; a copy of trial {parent} ({self.shown(values[parent])}) follows"
        return Verdict(decision=Decision.STOP, reason=reason)
