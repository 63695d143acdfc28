"""Replicates: the best trials trained again with other seeds, so that the winner is not the luckiest one.

The value that made a trial win a search is the largest of many noisy ones and flatters it. The mean of its replicates
does not: they were not chosen by their values. The gap between the two is the validation overfitting of the search.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from automl.errors import counted
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.study.objectives import Objective
    from automl.study.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated:
    """A trial of the search and its replicates.

    Attributes:
        values: The primary objective of the replicates that have one, in order of their numbers; not empty.
        diverged: How many replicates diverged.
        runs: How many there are, whatever became of them.
        gap: How much better the search saw the trial than its replicates did on average; above 0 it was flattered.
    """

    trial: TrialResult
    values: tuple[float, ...]
    gap: float
    diverged: int = 0
    runs: int = 0

    @property
    def mean(self) -> float:
        """Mean over the replicates; the trial's own value is not in it."""
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the replicates; None of a single one."""
        return stdev(self.values) if len(self.values) > 1 else None


def replicated(objective: Objective, trials: tuple[TrialResult, ...]) -> tuple[Replicated, ...]:
    """Return the trials with replicates that have values, the winner first.

    First are those without a replicate that diverged, then those that were trained most often, which are the last ones
    left of a race; among them the best mean counts, then the number.
    """
    metric, by_number = objective.metric, {trial.number: trial for trial in trials}
    values: dict[int, list[float]] = {}
    runs, diverged = Counter[int](), Counter[int]()
    for trial in trials:
        if trial.replicate_of is None:
            continue
        runs[trial.replicate_of] += 1
        diverged[trial.replicate_of] += trial.state is TrialState.DIVERGED
        if trial.replicate_of in by_number and trial.state.has_value and metric in trial.values:
            values.setdefault(trial.replicate_of, []).append(trial.values[metric])
    sign = objective.direction.sign
    found = [
        Replicated(
            trial=original,
            values=tuple(seen),
            gap=sign * (original.values[metric] - fmean(seen)),
            diverged=diverged[number],
            runs=runs[number],
        )
        for number, seen in values.items()
        if metric in (original := by_number[number]).values
    ]
    return tuple(sorted(found, key=lambda r: (r.diverged > 0, -r.runs, -sign * r.mean, r.trial.number)))


def counts_of(trials: Sequence[TrialResult], planned: int) -> str:
    """Return how many of the planned trials there are, and how many replicates: ``25 of 25 and 5 replicates``."""
    again = sum(trial.replicate_of is not None for trial in trials)
    return " and ".join([f"{len(trials) - again} of {planned}", *([counted(again, "replicate")] if again else [])])
