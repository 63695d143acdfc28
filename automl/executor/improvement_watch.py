"""The rule that ends a search when hardly anything is left to gain."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.samplers.base import Searcher
    from automl.study.model import StudyPlan

IN_A_ROW = 3
"""So many estimates in a row have to be small: one may be small by chance."""


class ImprovementRule:
    """Asks the searcher's model after each end of a trial what is left to gain.

    Args:
        plan: Its budget names the improvement that is worth a trial; without it nothing is estimated.
        searcher: Has the model.
    """

    def __init__(self, plan: StudyPlan, searcher: Searcher) -> None:
        self._plan = plan
        self._searcher = searcher
        self._estimates: deque[float | None] = deque(maxlen=IN_A_ROW)

    def after_end(self) -> str | None:
        """Return why the search can end, or None."""
        worth = self._plan.budget.min_improvement
        if worth is None:
            return None
        self._estimates.append(self._searcher.expected_improvement())
        known = [estimate for estimate in self._estimates if estimate is not None]
        if len(known) < IN_A_ROW or max(known) >= worth:
            return None
        gain = f"more than {max(known):.2g}, and {worth:g} is asked for"
        return f"no further trial is expected to improve {self._plan.objective.metric} by {gain}"
