"""One root cause for a study in which nothing worked."""

from __future__ import annotations

from pathlib import Path

from automl.executor.failure_summary import summarize_failure
from automl.study.objectives import parse_constraints
from automl.study.trial import FailureKind, TrialResult, TrialState

ROOT = Path("results/demo")


def failed(number: int, reason: str) -> TrialResult:
    return TrialResult(
        number=number,
        state=TrialState.FAILED,
        failure=FailureKind.TRAINER,
        reason=reason,
        assignment={},
        directory=f"trials/{number:04d}",
        log_tail=("Traceback", "KeyError: 'lr'"),
    )


def test_the_most_frequent_cause_comes_first_with_its_log_lines() -> None:
    text = summarize_failure((failed(0, "rare"), failed(1, "frequent"), failed(2, "frequent")), ROOT)

    assert text.startswith("all 3 trials ended without a usable value; 2 of them: trainer: frequent")
    assert "and 1 more: trainer: rare" in text
    assert "KeyError: 'lr'" in text
    assert "results/demo/trials/0001/train.log" in text


def test_a_study_that_only_diverged_says_what_to_change() -> None:
    trials = tuple(
        TrialResult(number=n, state=TrialState.DIVERGED, assignment={}, directory=f"trials/{n:04d}", reason="nan")
        for n in range(2)
    )

    assert "lower the learning rates" in summarize_failure(trials, ROOT)


def test_one_trial_is_not_counted() -> None:
    text = summarize_failure((failed(0, "rare"),), ROOT)

    assert text.startswith("the one trial ended without a usable value: trainer: rare")


def test_a_study_without_trials_names_the_events() -> None:
    assert "events.jsonl" in summarize_failure((), ROOT)


def test_trials_that_miss_a_constraint_are_reported_by_the_constraint() -> None:
    trained = [
        TrialResult(number=n, state=TrialState.COMPLETED, assignment={}, directory="", values={"m": 50.0 + n})
        for n in range(2)
    ]

    text = summarize_failure(trained, ROOT, parse_constraints(["m <= 40"]))

    assert text.startswith("all 2 trials ended without a usable value; 2 of them: the constraint m <= 40 is not kept")


def test_a_constraint_that_was_never_measured_is_reported_with_the_reason() -> None:
    trained = TrialResult(
        number=0, state=TrialState.COMPLETED, assignment={}, directory="", values={"d1": 0.5}, reason="no bash here"
    )

    text = summarize_failure([trained], ROOT, parse_constraints(["ms <= 4"]))

    assert "what the constraint ms <= 4 limits was not measured: no bash here" in text
