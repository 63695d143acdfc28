"""Which trial is best, and how trials rank."""

from __future__ import annotations

from dataclasses import replace

from automl.study.objectives import Direction, Objective, parse_constraints
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


SMALLER = Objective(metric="size", direction=Direction.MINIMIZE)


def measured(number: int, d1: float, size: float | None) -> TrialResult:
    values = {"val/d1": d1} if size is None else {"val/d1": d1, "size": size}
    return replace(trial(number, d1), values=values)


def test_the_pareto_front_are_the_trials_that_none_beats_everywhere() -> None:
    trials = (measured(0, 0.9, 9.0), measured(1, 0.8, 2.0), measured(2, 0.7, 5.0), measured(3, 0.95, None))
    result = replace(study(Direction.MAXIMIZE, *trials), further=(SMALLER,))

    assert [t.number for t in result.pareto] == [0, 1]
    assert result.best == trials[3]


def test_equal_trials_are_both_on_the_front() -> None:
    result = replace(study(Direction.MAXIMIZE, measured(0, 0.9, 9.0), measured(1, 0.9, 9.0)), further=(SMALLER,))

    assert [t.number for t in result.pareto] == [0, 1]


def test_with_one_objective_the_front_is_the_best_trial() -> None:
    result = study(Direction.MAXIMIZE, trial(0, 0.1), trial(1, 0.2))

    assert result.pareto == (result.best,)


def test_a_trial_that_misses_a_constraint_is_never_best() -> None:
    trials = (measured(0, 0.9, 9.0), measured(1, 0.8, 2.0), measured(2, 0.99, None))
    result = replace(study(Direction.MAXIMIZE, *trials), constraints=parse_constraints(["size <= 5"]))

    assert result.ranked() == (trials[1],)
    assert result.pareto == (trials[1],)
    assert result.unmet(trials[0]) == ("size is 9, not size <= 5",)


def test_every_trial_is_listed_once_and_the_front_holds_whoever_is_not_beaten() -> None:
    values = [(0.1, 5.0), (0.5, 5.0), (0.5, 3.0), (0.4, 2.0), (0.3, 2.0), (0.5, 3.0)]
    trials = tuple(
        TrialResult(
            number=number,
            state=TrialState.COMPLETED,
            assignment={},
            directory="",
            values={"val/d1": d1, "latency_ms": latency},
        )
        for number, (d1, latency) in enumerate(values)
    )
    up = Objective(metric="val/d1", direction=Direction.MAXIMIZE)
    study = StudyResult(
        objective=up, trials=trials, further=(Objective(metric="latency_ms", direction=Direction.MINIMIZE),)
    )

    assert [trial.number for trial in study.pareto] == [2, 5, 3]
    assert sorted(trial.number for trial in study.leaderboard()) == list(range(6))
