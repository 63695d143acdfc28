"""Who leads a study while it runs: the first best value among the trials of the search that keep every constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.study.objectives import unmet

if TYPE_CHECKING:
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult


class Incumbent:
    """The best value of the primary objective so far.

    Args:
        study: Objective, constraints and the trials that have ended before.
    """

    def __init__(self, study: StudyResult) -> None:
        self._objective = study.objective
        self._constraints = study.constraints
        self.value: float | None = None
        for result in study.trials:
            self.learn(result)

    def learn(self, result: TrialResult) -> float | None:
        """Learn the end of a trial; return its value if it leads now, else None. Replicates do not compete."""
        competes = (
            result.replicate_of is None and result.state.has_value and not unmet(self._constraints, result.values)
        )
        value = result.values.get(self._objective.metric) if competes else None
        if value is None or (self.value is not None and not self._objective.direction.is_better(value, self.value)):
            return None
        self.value = value
        return value
