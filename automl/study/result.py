"""The result of a study: its trials, the incumbent, and how trials compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.study.model import Direction

if TYPE_CHECKING:
    from automl.study.model import Objective
    from automl.study.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """All trials of a study.

    Attributes:
        objective: The leading objective.
        trials: In order of their numbers.
        failure: Why the study was ended by errors, with the log's last lines; None if it was not.
    """

    objective: Objective
    trials: tuple[TrialResult, ...]
    failure: str | None = None

    @property
    def best(self) -> TrialResult | None:
        """The trial with the best value of the leading objective; the earliest of equals; None if no trial has one."""
        ranked = self.ranked()
        return ranked[0] if ranked else None

    def ranked(self) -> tuple[TrialResult, ...]:
        """Return the trials that have a value, best first; equals in order of their numbers."""
        metric = self.objective.metric
        sign = -1.0 if self.objective.direction is Direction.MAXIMIZE else 1.0
        competing = [t for t in self.trials if t.state.has_value and metric in t.values]
        return tuple(sorted(competing, key=lambda t: (sign * t.values[metric], t.number)))
