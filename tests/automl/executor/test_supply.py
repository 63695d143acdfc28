from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.attempt_states import Paused, Waiting
from automl.executor.reports import ReportJournal, StopDecision
from automl.executor.supply import Standing, Supply
from automl.schedulers.asha import PausingAshaScheduler
from automl.schedulers.base import Copy, Decision, Report
from automl.study.causes import Origin, OriginKind
from automl.study.trial import Proposal, TrialResult, TrialState
from tests.automl.executor.toy_study import ListSearcher, ThresholdRule, toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.schedulers.base import Scheduler

ASSIGNMENTS = [{"quality": 0.1 * number} for number in range(4)]


class CopyingRule(ThresholdRule):
    """Wants one copy of trial 0."""

    wish: Copy | None = Copy(parent=0, epoch=1)

    def next_copy(self) -> Copy | None:
        return self.wish

    def copied(self) -> None:
        self.wish = None


def ended(number: int) -> TrialResult:
    return TrialResult(
        number=number, state=TrialState.COMPLETED, assignment=ASSIGNMENTS[number], directory=f"trials/{number:04d}"
    )


def paused(number: int) -> Paused:
    proposal = Proposal(number=number, assignment=ASSIGNMENTS[number], origin=Origin(OriginKind.GIVEN))
    ending = StopDecision(decision=Decision.PAUSE, reason="rung 1", epoch=0)
    return Paused(proposal, ending, replace(ended(number), state=TrialState.INTERRUPTED))


def supply(root: Path, standing: Standing, rule: Scheduler, trials: int = 4) -> Supply:
    searcher = ListSearcher(ASSIGNMENTS)
    searcher.asked = len(standing.finished) + len(standing.paused)
    reports = ReportJournal(root / "reports.jsonl")
    return Supply(toy_plan(root / "skill", trials=trials), standing, searcher=searcher, rule=rule, reports=reports)


def numbers(source: Supply) -> list[int]:
    found = []
    while (waiting := source.next(lambda: None)) is not None:
        found.append(waiting.proposal.number)
    return found


def test_who_waits_comes_before_who_is_new(tmp_path: Path) -> None:
    again = Waiting(Proposal(number=0, assignment=ASSIGNMENTS[0], origin=Origin(OriginKind.GIVEN)), losses=1)
    source = supply(tmp_path, Standing(waiting=deque([again]), finished=[ended(0)]), ThresholdRule())

    assert numbers(source)[:2] == [0, 1]


def test_a_promotion_is_journaled_and_comes_before_new_trials(tmp_path: Path) -> None:
    rule = PausingAshaScheduler((1,), eta=3.0)
    for number in range(3):
        rule.judge(Report(trial=number, epoch=0, value=-float(number)))
    standing = Standing(waiting=deque(), paused={number: paused(number) for number in range(3)})

    waiting = supply(tmp_path, standing, rule).next(lambda: None)

    assert waiting is not None
    assert waiting.proposal.number == 0
    assert set(standing.paused) == {1, 2}
    assert '"promote"' in (tmp_path / "reports.jsonl").read_text(encoding="utf-8")


def test_a_copy_comes_before_what_the_searcher_proposes_and_names_its_parent(tmp_path: Path) -> None:
    source = supply(tmp_path, Standing(waiting=deque(), finished=[ended(0)]), CopyingRule())

    waiting = source.next(lambda: None)

    assert waiting is not None
    assert waiting.proposal.origin == Origin(OriginKind.CLONE, parent=0, epoch=1)


def test_nothing_is_left_when_all_trials_of_the_budget_are_known(tmp_path: Path) -> None:
    standing = Standing(waiting=deque(), finished=[ended(0)], paused={1: paused(1)})

    assert supply(tmp_path, standing, CopyingRule(), trials=2).is_exhausted
    assert not supply(tmp_path, standing, ThresholdRule(), trials=3).is_exhausted
