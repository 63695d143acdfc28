"""The search ends when hardly anything is left to gain, not for one small estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.improvement_watch import ImprovementRule
from automl.study.model import Budget
from tests.automl.executor.toy_study import ListSearcher, toy_plan

if TYPE_CHECKING:
    from pathlib import Path


class Estimating(ListSearcher):
    """Estimates what it is told to."""

    def __init__(self, *estimates: float | None) -> None:
        super().__init__([])
        self.estimates = list(estimates)

    def expected_improvement(self) -> float | None:
        return self.estimates.pop(0)


def test_three_small_estimates_in_a_row_end_the_search(tmp_path: Path) -> None:
    plan = replace(toy_plan(tmp_path, trials=9), budget=Budget(trials=9, min_improvement=0.01))
    watch = ImprovementRule(plan, Estimating(None, 0.005, 0.004, 0.02, 0.009, 0.008, 0.001))

    verdicts = [watch.after_end() for _ in range(7)]

    assert verdicts[:6] == [None] * 6
    assert verdicts[6] is not None
    assert "more than 0.009, and 0.01 is asked for" in verdicts[6]


def test_nothing_is_estimated_unless_it_is_asked_for(tmp_path: Path) -> None:
    searcher = Estimating(0.0, 0.0, 0.0)

    assert ImprovementRule(toy_plan(tmp_path, trials=9), searcher).after_end() is None
    assert len(searcher.estimates) == 3
