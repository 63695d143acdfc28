"""From a history to the training data of a model: what each outcome counts as.

- A completed trial counts with its value.
- A stopped one counts with its value completed by what its peers gained from the same epoch on, never above the best
  completed value, and with more noise. So does a paused one, until it ends: it is not waited for.
- A diverged one counts as no better than the worst finite value, and is marked.
- A failed one is left out: it says nothing about the assignment.
- A running one is a point without a value.
- A constraint that a paused trial was not measured for (`--evaluate-with` runs after the training) is unknown: the
  trial's value counts, and that constraint is fitted to the others.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.study.completion import Completion
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from automl.samplers.history import History, Observation
    from automl.space.values import Scalar

# A value guessed from an early epoch scatters more than a measured one.
STOPPED_NOISE = 4.0
# On this logarithmic scale: a value worse by a thousand times the scale of the good ones counts as worst.
_LONGEST_TAIL = 7.0
# So far below the worst finite value a diverged trial counts.
_BELOW = 0.5
_MEASURED = frozenset({TrialState.COMPLETED, TrialState.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What a model is fitted to.

    Attributes:
        assignments: Of the trials with a value, in the order in which they ended.
        values: Their values, larger is better, finite, shape (n,).
        noise: Factor on the noise of each, shape (n,).
        diverged: Which of them diverged, shape (n,).
        pending: Assignments of the trials that run.
        violations: By how much each constraint is missed, at most 0 where it is kept, NaN where it is unknown yet
            (paused trials), shape (n, constraints); 0 for diverged trials, of which nothing is known.
    """

    assignments: tuple[Mapping[str, Scalar], ...]
    values: np.ndarray
    noise: np.ndarray
    diverged: np.ndarray
    pending: tuple[Mapping[str, Scalar], ...]
    violations: np.ndarray

    @property
    def feasible(self) -> np.ndarray:
        """Which of them keep every constraint, shape (n,); where none is known to, those that may."""
        kept = np.asarray((self.violations <= 0).all(axis=1))
        return kept if kept.any() else ~np.asarray((self.violations > 0).any(axis=1))

    @property
    def fitness(self) -> np.ndarray:
        """Values for comparisons alone: a trial that misses a constraint is below all others, by how much it does."""
        missed = total_violations(self.violations)
        if not missed.any():
            return self.values
        lowest = float(self.values.min())
        return np.where(missed > 0, lowest - (float(np.ptp(self.values)) or 1.0) * (0.01 + missed), self.values)


def total_violations(violations: np.ndarray) -> np.ndarray:
    """Return by how much trials miss their constraints, in units of the largest miss of each; shape (n,).

    Args:
        violations: Shape (n, constraints), at most 0 where a constraint is kept, NaN where nobody knows: no miss.
    """
    missed = np.fmax(violations, 0.0)
    largest = missed.max(axis=0, initial=0.0)
    return np.asarray((missed / np.where(largest > 0, largest, 1.0)).sum(axis=1))


def training_data_from(history: History, weights: np.ndarray | None = None) -> TrainingData:
    """Return the training data of a history.

    Args:
        history: The trials so far.
        weights: One per objective, sum 1: the values of a trial become one number. None for the primary objective.
    """
    observed = [o for o in history.finished if (o.values and o.state in _MEASURED) or o.state is TrialState.DIVERGED]
    states = {o.state for o in observed}  # most histories have one: a long one is not looked through for each
    diverged = _which(observed, TrialState.DIVERGED, states)
    measured = observed if TrialState.DIVERGED not in states else [o for o in observed if o.state in _MEASURED]
    if weights is None or len(weights) == 1:
        finite = _completed_values(measured, states)
    else:
        finite = scalarised(np.array([o.values for o in measured]), weights) if measured else np.empty(0)
    values = np.full(len(observed), finite.min() if len(finite) else 0.0, dtype=float)
    values[~diverged] = finite
    limits = max((len(o.violations) for o in observed if o.violations), default=0)
    violations = np.array([o.violations or (0.0,) * limits for o in observed] if limits else [], dtype=float)
    return TrainingData(
        assignments=tuple([o.assignment for o in observed]),
        values=values,
        noise=np.where(_which(observed, TrialState.STOPPED, states), STOPPED_NOISE, 1.0),
        diverged=diverged,
        pending=tuple(o.assignment for o in history.pending),
        violations=violations.reshape(len(observed), limits),
    )


def _which(observed: Sequence[Observation], state: TrialState, states: Collection[TrialState]) -> np.ndarray:
    if state not in states:
        return np.zeros(len(observed), dtype=bool)
    return np.array([o.state is state for o in observed], dtype=bool)


def _completed_values(measured: Sequence[Observation], states: Collection[TrialState]) -> np.ndarray:
    """Return the value of each trial, completed where it was stopped."""
    if TrialState.STOPPED not in states:
        return np.array([o.values[0] for o in measured], dtype=float)
    completed = [o for o in measured if o.state is TrialState.COMPLETED]
    completion = Completion((peer.curve, peer.values[0]) for peer in completed)
    return np.array([_value_of(o, completion) for o in measured])


def _value_of(observation: Observation, completion: Completion) -> float:
    value = observation.values[0]
    if observation.state is TrialState.COMPLETED:
        return value
    end = observation.paused_at
    return completion.of(value, [point for point in observation.curve if end is None or point[0] <= end])


def scores(values: np.ndarray, diverged: np.ndarray) -> tuple[np.ndarray, float]:
    """Return values of mean 0 and variance about 1 whose bad tail is shortened, shape (n,), and their unit.

    A few terrible values must not flatten the differences between good ones: below the median, distances from it are
    compressed logarithmically on the scale of the upper half, and count as `_LONGEST_TAIL` at most. Diverged trials end
    below every finite value. The unit is what a difference of 1 between two good scores means in units of the values; 0
    where all are equal.
    """
    finite = values[~diverged]
    if len(finite) == 0:
        return np.zeros_like(values), 0.0
    median = float(np.median(finite))
    upper = finite[finite >= median] - median
    lower = median - finite[finite < median]
    # Where the better half is equal, what the worse ones lack.
    scale = root_mean_square(upper) or (float(np.median(lower)) if len(lower) else 0.0)
    with np.errstate(over="ignore"):  # infinitely far is as far as the tail is long
        distance = (values - median) / (scale or 1.0)
    tail = np.maximum(-np.log1p(-np.minimum(distance, 0.0)), -_LONGEST_TAIL)
    shaped = np.where(distance < 0, tail, distance)
    if diverged.any():
        shaped[diverged] = shaped[~diverged].min() - _BELOW
    deviation = float(np.std(shaped)) or 1.0
    unit = max(scale * deviation, sys.float_info.min) if scale else 0.0
    return np.asarray((shaped - shaped.mean()) / deviation), unit


def root_mean_square(values: np.ndarray) -> float:
    """Return the root of the mean square of finite numbers, however small; 0 of none."""
    # By a power of two, which loses nothing: the squares of small numbers are 0.
    exponent = int(np.frexp(np.abs(values).max(initial=0.0))[1])
    return float(np.ldexp(np.sqrt(np.mean(np.ldexp(values, -exponent) ** 2)), exponent)) if len(values) else 0.0


def unit_of(values: Sequence[float]) -> float:
    """Return what a difference of 1 between the scores of two good values means in units of the values."""
    return scores(np.array(values), np.zeros(len(values), dtype=bool))[1]


def scalarised(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return one number per point, larger is better: the augmented Chebyshev value of its objectives, scaled to [0, 1].

    Args:
        values: Shape (n, objectives), n >= 1.
        weights: One per objective, >= 0, sum 1.

    Source: ParEGO (Knowles 2006).
    """
    low, high = values.min(axis=0), values.max(axis=0)
    loss = weights * (high - values) / np.where(high > low, high - low, 1.0)
    return np.asarray(-(loss.max(axis=1) + 0.05 * loss.sum(axis=1)))
