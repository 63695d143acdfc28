"""Where a study stands, from its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl.storage.live_status import Standing
from automl.study.trial import TrialResult, TrialState

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(kind: str, second: float = 0.0, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 # fields of an event
    return {"event": kind, "time": (START + timedelta(seconds=second)).isoformat(), **fields}


def standing(*events: dict[str, Any]) -> Standing:
    found = Standing()
    found.learn(event("study_started", metric="val/d1", jobs=2, max_epochs=8))
    for one in events:
        found.learn(one)
    return found


def started(number: int, second: float = 0.0) -> dict[str, Any]:
    return event("trial_started", second, trial=number, attempt=1, assignment={"lr": 0.1})


def ended(number: int, elapsed_s: float) -> TrialResult:
    return TrialResult(number=number, state=TrialState.COMPLETED, assignment={}, directory="", elapsed_s=elapsed_s)


def measured(number: int, epoch: int | None, values: dict[str, float]) -> dict[str, Any]:
    return event("measured", trial=number, epoch=epoch, max_epochs=None, values=values)


def test_a_running_trial_has_its_epochs_and_its_last_value() -> None:
    found = standing(started(3), measured(3, 0, {"val/d1": 0.4}), measured(3, 1, {"train_loss": 2.0}))

    trial = found.running[3]
    assert (trial.epochs, trial.max_epochs, trial.value) == (2, 8, 0.4)


def test_a_trial_that_ended_leaves_its_slot() -> None:
    assert not standing(started(3), event("trial_ended", trial=3)).running


def test_a_resume_forgets_the_slots_of_the_run_before() -> None:
    found = standing(started(3), event("study_ended"), event("study_started", 9, metric="m", jobs=1, max_epochs=None))

    assert (found.running, found.slots, found.is_over) == ({}, 1, False)


def test_the_estimate_is_the_work_left_over_the_slots() -> None:
    found = standing(started(2, second=10.0))

    estimate = found.estimate([ended(0, 20.0), ended(1, 40.0)], 6, None, START + timedelta(seconds=20))

    # 4 trials of 30 s are left, 10 s of the running one are done, on 2 slots.
    assert estimate.seconds == pytest.approx((4 * 30 - 10) / 2)
    assert estimate.basis == "4 to go, 30.0 s each so far, 2 slots"


def test_a_time_limit_that_comes_first_is_the_estimate() -> None:
    estimate = standing().estimate([ended(0, 100.0)], 50, 120.0, START + timedelta(seconds=90))

    assert (estimate.seconds, estimate.basis) == (30.0, "time limit 2 min 00 s")


def test_before_the_first_end_nothing_is_estimated() -> None:
    estimate = standing(started(0)).estimate([], 5, None, START)

    assert (estimate.seconds, estimate.basis) == (None, "no trial has ended yet")
