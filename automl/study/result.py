"""The result of a study: its trials, the best of them, the Pareto front, and how trials compare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from automl.study.objectives import Direction, unmet, wanted_metrics
from automl.study.replicates import replicated

if TYPE_CHECKING:
    from automl.study.objectives import Constraint, Objective
    from automl.study.replicates import Replicated
    from automl.study.trial import TrialResult


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """All trials of a study; how they compare is computed once.

    Attributes:
        objective: The primary objective.
        trials: In order of their numbers.
        failure: Why the study was ended by errors, with the log's last lines; None if it was not.
        further: The objectives after the primary one.
        constraints: What the best trial and the Pareto front must keep.
        end_reason: Why no further trial was started, in words.
        may_go_on: A resume goes on without being asked for more: the user or errors have ended the study.
    """

    objective: Objective
    trials: tuple[TrialResult, ...]
    failure: str | None = None
    further: tuple[Objective, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    end_reason: str = ""
    may_go_on: bool = False

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All objectives, the primary one first."""
        return (self.objective, *self.further)

    @property
    def wanted_metrics(self) -> tuple[str, ...]:
        """See `automl.study.objectives.wanted_metrics`."""
        return wanted_metrics(self.objectives, self.constraints)

    @cached_property
    def best(self) -> TrialResult | None:
        """The trial with the best value of the primary objective; the earliest of equals; None if no trial has one.

        Where trials were replicated, it is the one with the best mean over its replicates.
        """
        ranked = self.ranked()
        proven = [r.trial for r in self.replicated if r.trial in ranked]
        return next(iter([*proven, *ranked]), None)

    @cached_property
    def replicated(self) -> tuple[Replicated, ...]:
        """The trials whose replicates have values, the best mean first."""
        return replicated(self.objective, self.trials)

    def ranked(self) -> tuple[TrialResult, ...]:
        """Return the trials that compete, best first; equals are in order of their numbers."""
        return self._ranked

    @cached_property
    def _ranked(self) -> tuple[TrialResult, ...]:
        metric = self.objective.metric
        sign = -1.0 if self.objective.direction is Direction.MAXIMIZE else 1.0
        competing = [trial for trial in self.trials if self.competes(trial)]
        return tuple(sorted(competing, key=lambda t: (sign * t.values[metric], t.number)))

    def leaderboard(self) -> tuple[TrialResult, ...]:
        """Return the ranked trials, then those that cannot win."""
        ranked = self.ranked()
        known = {trial.number for trial in ranked}
        return (*ranked, *(trial for trial in self.trials if trial.number not in known))

    def competes(self, trial: TrialResult) -> bool:
        """Tell whether a trial is one of the search, has a value and keeps every constraint."""
        has_value = trial.state.has_value and self.objective.metric in trial.values
        return trial.replicate_of is None and has_value and not self.unmet(trial)

    def unmet(self, trial: TrialResult) -> tuple[str, ...]:
        """Say which constraints a trial does not keep; empty where it keeps all."""
        return unmet(self.constraints, trial.values)

    @cached_property
    def pareto(self) -> tuple[TrialResult, ...]:
        """The competing trials that no other one beats in every objective, in order of the primary one.

        A trial without a value of some objective is not among them. With one objective it is the best trial alone.
        """
        if not self.further:
            return self.ranked()[:1]
        front: list[TrialResult] = []
        for trial in self.ranked():
            is_whole = all(objective.metric in trial.values for objective in self.objectives)
            # What a trial beats is also beaten by what beats that trial: the front so far says it all.
            if is_whole and not any(self._dominates(other, trial) for other in front):
                front = [*(other for other in front if not self._dominates(trial, other)), trial]
        return tuple(front)

    def _dominates(self, first: TrialResult, second: TrialResult) -> bool:
        """Tell whether the first is at least as good everywhere and better somewhere."""
        pairs = [(o.direction, first.values[o.metric], second.values[o.metric]) for o in self.objectives]
        is_worse = any(direction.is_better(other, than=own) for direction, own, other in pairs)
        return not is_worse and any(direction.is_better(own, than=other) for direction, own, other in pairs)


class Incumbent:
    """The best value of the primary objective so far, while a study runs: the first of equals.

    Args:
        study: Objective, constraints and the trials that have ended before.
    """

    def __init__(self, study: StudyResult) -> None:
        self._study = study
        self.value: float | None = None
        for result in study.trials:
            self.learn(result)

    def learn(self, result: TrialResult) -> float | None:
        """Learn the end of a trial; return its value if it leads now, else None. Replicates do not compete."""
        objective = self._study.objective
        value = result.values[objective.metric] if self._study.competes(result) else None
        if value is None or (self.value is not None and not objective.direction.is_better(value, self.value)):
            return None
        self.value = value
        return value
