"""The race between the best trials of a search: who is trained again with another seed, until one of them has won.

Every round trains all that are left with one more seed, the same for all, so the seed favours none. After a round the
better half goes on, at least two; the race is over when its rounds are, or when the first is ahead by more than noise
explains. The values of the search do not count: the candidates were chosen by them.

Source: sequential halving (Karnin et al. 2013).
"""

from __future__ import annotations

import math
from statistics import fmean, variance
from typing import TYPE_CHECKING

from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

CANDIDATES = 3
_LEAST_LEFT = 2
# Student's t for 97.5 % with two degrees of freedom, which three candidates give.
_DECIDED = 4.3


def next_round(result: StudyResult, candidates: int, seeds: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return (trial, seed) of the replicates of the round that is not finished; empty when the race is over.

    Args:
        result: The trials of the search, and the replicates that have ended.
        candidates: So many of the best trials take part.
        seeds: One per round.
    """
    runs = {(trial.replicate_of, trial.seed): trial for trial in result.trials}
    left = [trial.number for trial in result.ranked()[:candidates]]
    values = {trial.number: trial.values[result.objective.metric] for trial in result.trials if trial.number in left}
    sign = result.objective.direction.sign
    noise = None
    for count in range(1, len(seeds) + 1 if left else 1):
        pairs = tuple((number, seeds[count - 1]) for number in left)
        if not all(pair in runs for pair in pairs):
            return pairs
        means = {number: sign * _mean(result, runs, number, seeds[:count]) for number in left}
        if count == 1:
            noise = _noise([values[number] - sign * mean for number, mean in means.items() if math.isfinite(mean)])
        left = _survivors(left, means, None if noise is None else _DECIDED * math.sqrt(2.0 * noise / count))
        if len(left) <= 1:
            return ()
    return ()


def most_trainings(rounds: int) -> int:
    """Return how many replicates a race has at most."""
    return CANDIDATES + _LEAST_LEFT * (rounds - 1)


def _mean(
    result: StudyResult, runs: Mapping[tuple[int | None, int | None], TrialResult], number: int, seeds: Sequence[int]
) -> float:
    """Return the mean over some replicates of a trial, as measured; the worst where one diverged or none has one."""
    ended, metric = [runs[number, seed] for seed in seeds], result.objective.metric
    found = [trial.values[metric] for trial in ended if trial.state.has_value and metric in trial.values]
    if not found or any(trial.state is TrialState.DIVERGED for trial in ended):
        return -result.objective.direction.sign * math.inf
    return fmean(found)


def _noise(differences: Sequence[float]) -> float | None:
    """Return the variance of one training by its seed, from what trials had with two seeds; None of two or fewer.

    What all differences have in common is that the search chose the trials.
    """
    return variance(differences) / 2.0 if len(differences) > _LEAST_LEFT else None


def _survivors(left: Sequence[int], means: Mapping[int, float], margin: float | None) -> list[int]:
    """Return who goes on: the better half, at least two, and of those who are within the margin of the first."""
    ranked = sorted(left, key=lambda number: -means[number])  # stable: of equals the better one in the search
    kept = ranked[: max(_LEAST_LEFT, math.ceil(len(ranked) / 2))]
    first = means[kept[0]]
    kept = [number for number in kept if means[number] == first or math.isfinite(means[number])]
    return [number for number in kept if margin is None or first - means[number] <= margin or number == kept[0]]
