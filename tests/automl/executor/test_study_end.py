"""Why a study ends: reported to the trackers, and the same whether its driver lived to write it down or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.storage.study_directory import read_results
from automl.study.ends import StopCause, StopKind
from automl.study.model import Budget
from automl.study.trial import FailureKind, TrialState
from automl.trial.stop_request import request_stop
from tests.automl.executor.loop_study import Study
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan


STOPPED = StopCause(kind=StopKind.USER, detail="stopped by the user")


def plan_with(root: Path, budget: dict[str, float], trials: int = 4) -> StudyPlan:
    return toy_plan(root / "skill", trials=trials, budget=Budget(trials=trials, **budget))  # type: ignore[arg-type]


def test_a_study_says_that_all_its_trials_have_ended(tmp_path: Path) -> None:
    study = Study(tmp_path, plan_with(tmp_path, {}, trials=2))
    for _ in range(2):
        study.end(study.next())

    result = study.loop.close()

    assert (result.end_reason, result.may_go_on) == ("all trials have ended (2)", False)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"target": 0.5}, "the target 0.5 of val/d1 is reached"),
        ({"patience_trials": 1}, "1 finished trial brought no improvement of val/d1"),
        ({"time_s": 1e-9}, "the time budget of 1e-09 s is used up"),
        ({"gpu_hours": 1e-12}, "the budget of 1e-12 GPU hours is used up"),
    ],
)
def test_each_budget_that_ends_a_study_is_its_reason(tmp_path: Path, budget: dict[str, float], reason: str) -> None:
    plan = plan_with(tmp_path, budget)
    study = Study(tmp_path, replace(plan, resources=replace(plan.resources, gpus_per_trial=1.0)))
    while not study.loop.is_over:
        task = study.next()
        study.loop.check_budget()
        study.end(task)

    assert study.loop.close().end_reason == reason


def test_a_user_and_errors_end_a_study_that_a_resume_goes_on_with(tmp_path: Path) -> None:
    stopped = Study(tmp_path / "a")
    task = stopped.next()
    request_stop(stopped.directory.root, STOPPED)
    stopped.loop.check_budget()
    stopped.end(task, TrialState.STOPPED)
    failed = Study(tmp_path / "b")
    for _ in range(3):
        failed.end(failed.next(), TrialState.FAILED, failure=FailureKind.TRAINER, reason="no such option")

    results = [stopped.loop.close(), failed.loop.close()]

    assert [result.may_go_on for result in results] == [True, True]
    assert results[0].end_reason == "stopped by the user"
    assert results[1].end_reason == "3 trials in a row failed for the same reason: no such option"
    assert results[1].failure is not None


def test_an_interrupted_study_is_suspended_with_its_reason(tmp_path: Path) -> None:
    study = Study(tmp_path)
    task = study.next()
    study.loop.interrupt()
    study.end(task, TrialState.INTERRUPTED)

    study.loop.close()

    assert study.tracker.events[-1] == "study suspended: Ctrl-C or SIGTERM"


@pytest.mark.parametrize("budget", [{"target": 0.9}, {"patience_trials": 1}])
def test_a_driver_that_died_after_the_reason_to_end_is_not_followed_by_further_trials(
    tmp_path: Path, budget: dict[str, float]
) -> None:
    plan = plan_with(tmp_path, budget)
    first = Study(tmp_path, plan)
    first.end(first.next(), values={"val/d1": 0.8})
    other = first.next()
    last = first.next()
    if "target" in budget:
        first.report(other, 0, 0.95)
    else:
        first.end(other, values={"val/d1": 0.7})
    (last.directory / "stop").unlink()  # killed before it asked for the other trials' end

    open_numbers = (1, 2) if "target" in budget else (2,)
    second = Study(tmp_path, plan)

    assert second.loop.next_task() is None
    assert second.loop.is_over
    assert second.loop.end == first.loop.end
    assert [trial.state for trial in second.loop.close().trials if trial.number in open_numbers] == [
        TrialState.STOPPED for _ in open_numbers
    ]


def test_a_trial_that_waits_for_another_attempt_is_ended_with_its_study(tmp_path: Path) -> None:
    study = Study(tmp_path)
    lost, other = study.next(), study.next()
    study.end(lost, TrialState.FAILED, failure=FailureKind.INFRASTRUCTURE, reason="its node was lost")
    request_stop(study.directory.root, STOPPED)

    study.loop.check_budget()
    study.end(other, TrialState.STOPPED)

    result = study.loop.close()
    assert [(trial.number, trial.state) for trial in result.trials] == [
        (0, TrialState.STOPPED),
        (1, TrialState.STOPPED),
    ]
    assert read_results(study.directory)[0].state is TrialState.STOPPED
