"""Outcomes: the table, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.launch.base import ExternalEnd
from automl.study.ends import StopCause, StopKind
from automl.study.trial import FailureKind, Measurement, TrialState
from automl.trial.outcome import outcome_of, stopped
from tests.automl.trial.flat_task import empty_history

if TYPE_CHECKING:
    from automl.trial.history import TrialHistory


def course(*measurements: Measurement, max_epochs: int | None = 2) -> TrialHistory:
    trial = empty_history(max_epochs=max_epochs)
    for measurement in measurements:
        trial.observe(measurement)
    return trial


FIRST = Measurement(epoch=0, values={"val/d1": 0.5})
LAST = Measurement(epoch=1, values={"val/d1": 0.6})
COMPLAINT = Measurement(message="no rows", is_failure=True, failure_code="data")


@pytest.mark.parametrize(
    ("measurements", "status", "tail", "state", "failure"),
    [
        ((FIRST, LAST), 0, (), TrialState.COMPLETED, None),
        ((FIRST,), 0, (), TrialState.COMPLETED, None),
        ((), 0, (), TrialState.FAILED, FailureKind.METRIC_MISSING),
        ((FIRST, COMPLAINT), 0, (), TrialState.FAILED, FailureKind.DATA),
        ((FIRST, LAST, COMPLAINT), 0, (), TrialState.COMPLETED, None),
        ((FIRST, LAST), 1, ("KeyError: 'x'",), TrialState.FAILED, FailureKind.TRAINER),
        ((FIRST,), 1, ("ValueError: loss is nan",), TrialState.DIVERGED, None),
        ((), -9, (), TrialState.FAILED, FailureKind.OUT_OF_MEMORY),
    ],
)
def test_a_trial_that_ended_by_itself(
    measurements: tuple[Measurement, ...],
    status: int,
    tail: tuple[str, ...],
    state: TrialState,
    failure: FailureKind | None,
) -> None:
    outcome = outcome_of(course(*measurements), status, tail)

    assert (outcome.state, outcome.failure) == (state, failure)


def test_a_short_run_says_after_which_epoch_it_ended() -> None:
    assert "epoch 1 of 2" in outcome_of(course(FIRST), 0, ()).reason
    assert outcome_of(course(FIRST, LAST), 0, ()).reason == ""
    assert outcome_of(course(FIRST, max_epochs=None), 0, ()).reason == ""


def test_a_missing_metric_is_answered_with_what_was_reported() -> None:
    assert "any other metric" in outcome_of(course(), 0, ("12:30:05 loading http://host:80/x", "done")).reason
    log = ("epoch 1/2 val_acc=0.50 loss: nan", "epoch 2/2 val_acc=0.51")
    assert "never reported val/d1; the end of its log has loss, val_acc" in outcome_of(course(), 0, log).reason
    assert "train_loss" in outcome_of(course(Measurement(epoch=0, values={"train_loss": 1.0})), 0, ()).reason


def test_a_lost_node_is_no_fault_of_the_trainer() -> None:
    lost = ExternalEnd(reason="its node was lost")

    assert outcome_of(course(), -9, (), external_end=lost).failure is FailureKind.INFRASTRUCTURE


def test_an_interruption_leaves_a_trial_that_a_resume_continues() -> None:
    assert stopped(StopCause(kind=StopKind.INTERRUPTED)).state is TrialState.INTERRUPTED
    assert stopped(StopCause(kind=StopKind.SCHEDULER, detail="rung 2")).state is TrialState.STOPPED


def test_the_end_of_a_function_without_a_metric_says_that_what_it_prints_is_not_read() -> None:
    trial = empty_history()
    trial.watch = replace(trial.watch, is_function=True)

    reason = outcome_of(trial, 0, ("val/d1=0.5",)).reason

    assert reason.startswith("the function has neither returned a number nor reported val/d1 with automl.report")


@pytest.mark.parametrize(
    ("line", "shown", "number"),
    [
        ("epoch 3 val/d1 0.5337", "val/d1 0.5337", "0.5337"),
        ("epoch 3 loss 0.2 val_d1 53.3% lr 1e-4", "val_d1 53.3%", "53.3%"),
        ("Val d1   1.2e-3", "Val d1   1.2e-3", "1.2e-3"),
    ],
)
def test_a_metric_without_a_sign_before_its_number_is_shown_with_what_to_print(
    line: str, shown: str, number: str
) -> None:
    reason = outcome_of(course(), 0, ("epoch 1", line)).reason

    assert reason == (
        f"the trainer never reported val/d1: its log has '{shown}', without a sign between name and number; let it"
        f" print 'val/d1: {number}' or 'val/d1={number}'"
    )


@pytest.mark.parametrize("line", ["my_val/d1 0.5", "val/d1 0.5abc", "val/d1 improved", "val/d10 0.5"])
def test_what_only_looks_like_the_metric_is_not_shown(line: str) -> None:
    assert "without a sign" not in outcome_of(course(), 0, (line,)).reason
