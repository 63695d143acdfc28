"""Population-based training: at every interval clones of the best members replace the worst ones.

A member that is among the worst quarter of all that came as far is stopped, and a new trial starts from the checkpoint
of a member of the best quarter, with a changed assignment (see `automl.samplers.neighbours`). Source: Jaderberg et al.
2017 (arXiv:1711.09846), asynchronous, with truncation selection.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque

from automl.schedulers.base import CloneRequest, Report, Scheduler


class PopulationScheduler(Scheduler):
    """Stops the worst members of a population and requests clones of the best ones.

    Args:
        interval: Epochs between two comparisons.
        share: Of the members, the part that is replaced; at most one half.
        trials: Trials of the study, clones included; without room for a clone nothing is stopped.
        grace: Epochs that every trial gets.
        max_epochs: Epochs of a full trial, where known: a member that has done them all is not cloned.
    """

    def __init__(  # numbers of one scheduler, by name
        self, *, interval: int, share: float, trials: int, grace: int = 1, max_epochs: int | None = None
    ) -> None:
        super().__init__(grace)
        self._interval = interval
        self._share = share
        self._max_epochs = max_epochs
        self._trials = trials
        self._values: dict[int, dict[int, float]] = defaultdict(dict)
        self._over: set[int] = set()
        self._requests: deque[CloneRequest] = deque()

    def next_clone(self) -> CloneRequest | None:
        """Return which clone is to start now, or None. Changes nothing."""
        return self._requests[0] if self._requests else None

    def cloned(self) -> None:
        """Note that the requested clone has its number."""
        if self._requests:
            self._requests.popleft()

    def _reason(self, report: Report) -> str:
        done = report.epoch + 1
        if done == self._max_epochs:
            self._over.add(report.trial)
        if done % self._interval or done == self._max_epochs:
            return ""
        values = self._values[report.epoch]
        values[report.trial] = report.value
        ranked = sorted(values, key=lambda trial: (-values[trial], trial))
        count = max(1, int(len(ranked) * self._share))
        living = [trial for trial in ranked if trial not in self._over and trial != report.trial]
        has_room = 1 + self._curves.last_trial + len(self._requests) < self._trials
        if not living or report.trial not in ranked[-count:] or not has_room:
            return ""
        best = [trial for trial in ranked[:count] if trial in living] or living[:1]
        # By the report alone, so that a replay chooses the same one.
        parent = random.Random(f"{report.trial}/{report.epoch}").choice(best)  # noqa: S311 # no secret
        self._requests.append(CloneRequest(parent=parent, epoch=report.epoch))
        self._over.add(report.trial)
        place = f"{self.shown(report.value)} is among the worst {count} of {len(ranked)}"
        return f"epoch {done}: {place}; a clone of trial {parent} ({self.shown(values[parent])}) follows"
