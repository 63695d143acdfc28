"""Which trial is best, and how trials rank."""

from __future__ import annotations

from automl.study.model import Direction, Objective
from automl.study.result import StudyResult
from automl.study.trial import TrialResult, TrialState


def trial(number: int, value: float | None, state: TrialState = TrialState.COMPLETED) -> TrialResult:
    values = {"val/d1": value} if value is not None else {}
    return TrialResult(number=number, state=state, assignment={}, directory=f"trials/{number:04d}", values=values)


def study(direction: Direction, *trials: TrialResult) -> StudyResult:
    return StudyResult(objective=Objective(metric="val/d1", direction=direction), trials=trials)


def test_the_best_trial_follows_the_direction() -> None:
    trials = (trial(0, 0.5), trial(1, 0.7), trial(2, 0.1))

    assert study(Direction.MAXIMIZE, *trials).best == trials[1]
    assert study(Direction.MINIMIZE, *trials).best == trials[2]


def test_of_equal_trials_the_earliest_is_best() -> None:
    trials = (trial(0, 0.5), trial(1, 0.5))

    assert study(Direction.MINIMIZE, *trials).best == trials[0]


def test_a_diverged_trial_never_competes_even_with_a_value() -> None:
    trials = (trial(0, 0.5), trial(1, 0.9, TrialState.DIVERGED), trial(2, 0.95, TrialState.FAILED))

    assert study(Direction.MAXIMIZE, *trials).ranked() == (trials[0],)


def test_a_stopped_trial_competes_with_its_best_value() -> None:
    trials = (trial(0, 0.5), trial(1, 0.9, TrialState.STOPPED))

    assert study(Direction.MAXIMIZE, *trials).best == trials[1]


def test_without_values_there_is_no_best_trial() -> None:
    assert study(Direction.MAXIMIZE, trial(0, None, TrialState.FAILED)).best is None
