from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.executor.budget import Patience, error_end, improvement_end, spent_end, target_end
from automl.study.model import Budget
from automl.study.objectives import Direction, Objective
from automl.study.trial import FailureKind, TrialResult, TrialState
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.ends import EndReason
    from automl.study.model import StudyPlan

UP = Objective(metric="val/d1", direction=Direction.MAXIMIZE)
DOWN = Objective(metric="val/d1", direction=Direction.MINIMIZE)


def completed(number: int, value: float) -> TrialResult:
    return TrialResult(number=number, state=TrialState.COMPLETED, assignment={}, directory="", values={"val/d1": value})


def failed(number: int, reason: str, kind: FailureKind = FailureKind.TRAINER) -> TrialResult:
    return TrialResult(number=number, state=TrialState.FAILED, failure=kind, assignment={}, directory="", reason=reason)


def test_time_ends_a_study_at_its_limit_and_not_before() -> None:
    budget = Budget(trials=5, time_s=60.0)

    assert spent_end(budget, elapsed_s=59.9, gpu_s=0.0) is None
    assert str(spent_end(budget, elapsed_s=60.0, gpu_s=0.0)) == "the time budget of 60 s is used up"


def test_gpu_hours_are_counted_in_hours() -> None:
    budget = Budget(trials=5, gpu_hours=0.5)

    assert spent_end(budget, elapsed_s=0.0, gpu_s=1799.0) is None
    assert "0.5 GPU hours" in str(spent_end(budget, elapsed_s=0.0, gpu_s=1800.0))


def plan_of(root: Path, objective: Objective = UP, **budget: float) -> StudyPlan:
    limits = Budget(trials=9, **budget)  # type: ignore[arg-type] # limits of a budget
    return replace(toy_plan(root, trials=9, budget=limits), objectives=(objective,))


def waited(plan: StudyPlan, *course: TrialResult) -> EndReason | None:
    patience = Patience(plan)
    return [patience.end_after(result) for result in course][-1]


def test_a_budget_without_limits_never_ends(tmp_path: Path) -> None:
    assert spent_end(Budget(trials=1), elapsed_s=1e9, gpu_s=1e9) is None
    assert target_end(Budget(trials=1), UP, 1e9) is None
    assert waited(plan_of(tmp_path), *(completed(n, 0.0) for n in range(50))) is None


@pytest.mark.parametrize(("objective", "below", "at"), [(UP, 0.79, 0.8), (DOWN, 0.81, 0.8)])
def test_a_target_is_reached_by_equality_in_either_direction(objective: Objective, below: float, at: float) -> None:
    budget = Budget(trials=5, target=0.8)

    assert target_end(budget, objective, below) is None
    assert str(target_end(budget, objective, at)) == "the target 0.8 of val/d1 is reached"


def test_patience_counts_finished_trials_since_the_last_improvement(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, patience_trials=2)
    course = [completed(0, 0.5), completed(1, 0.4), completed(2, 0.6), completed(3, 0.6)]

    assert waited(plan, *course) is None
    assert waited(plan, *course, failed(4, "x")) is not None
    assert waited(plan_of(tmp_path, DOWN, patience_trials=2), *course[:3]) is None


def test_three_identical_errors_in_a_row_are_a_root_cause() -> None:
    assert error_end([completed(0, 1.0), *(failed(n, "no data") for n in (1, 2, 3))]) is not None
    assert error_end([failed(n, "no data") for n in (1, 2)]) is None
    assert error_end([failed(1, "no data"), failed(2, "other"), failed(3, "no data")]) is None


def test_failures_of_the_machine_or_of_one_assignment_are_no_root_cause() -> None:
    for kind in (FailureKind.INFRASTRUCTURE, FailureKind.OUT_OF_MEMORY, FailureKind.TIMEOUT):
        assert error_end([failed(n, "same", kind) for n in range(3)]) is None


def test_three_small_estimates_in_a_row_end_a_search(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, min_improvement=0.01)

    assert improvement_end(plan, [0.001, 0.002]) is None
    assert improvement_end(plan, [0.001, None, 0.002]) is None
    assert improvement_end(plan, [0.001, 0.02, 0.002]) is None
    assert str(improvement_end(plan, [0.001, 0.003, 0.002])) == (
        "no further trial is expected to improve val/d1 by more than 0.003, and 0.01 is asked for"
    )
    assert improvement_end(plan_of(tmp_path), [0.0, 0.0, 0.0]) is None
