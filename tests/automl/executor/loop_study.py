"""A study's loop with partners that record what is reported to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.loop import StudyLoop
from automl.storage.paths import StudyPaths
from automl.study.trial import Measurement, TrialResult, TrialState
from tests.automl.executor.toy_study import ListSearcher, ListTracker, ThresholdRule, toy_location, toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan
    from automl.trial.task import TrialTask


class Study:
    """A loop with its partners."""

    def __init__(self, root: Path, plan: StudyPlan | None = None, *, threshold: float = float("-inf")) -> None:
        self.searcher = ListSearcher([{"quality": 0.1 * n} for n in range(9)])
        self.rule = ThresholdRule(threshold)
        self.tracker = ListTracker()
        self.directory = StudyPaths(root / "study")
        self.directory.root.mkdir(parents=True, exist_ok=True)
        self.loop = StudyLoop(
            plan or toy_plan(root / "skill", trials=4),
            toy_location(root),
            searcher=self.searcher,
            scheduler=self.rule,
            trackers=[self.tracker],
        )
        self.loop.open()

    def next(self) -> TrialTask:
        task = self.loop.next_task()
        assert task is not None
        return task

    def end(self, task: TrialTask, state: TrialState = TrialState.COMPLETED, **fields: object) -> None:
        values = {"val/d1": 0.5} if state.has_value else {}
        result = TrialResult(
            number=task.number, state=state, assignment=dict(task.proposal.assignment), directory="", values=values
        )
        self.loop.ended(replace(result, **fields))  # type: ignore[arg-type] # fields of a result

    def report(self, task: TrialTask, epoch: int, value: float) -> None:
        self.loop.measured(task.number, Measurement(epoch=epoch, values={"val/d1": value}))
