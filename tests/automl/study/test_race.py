"""The race between the best trials: rounds with the same seed for all, who is left out, and when it is decided."""

from __future__ import annotations

from automl.study.objectives import Direction, Objective
from automl.study.race import next_round
from automl.study.result import StudyResult
from automl.study.trial import TrialResult, TrialState

SEEDS = (8, 9)


def trial(number: int, value: float | None, of: int | None = None, seed: int | None = None) -> TrialResult:
    state = TrialState.DIVERGED if value is None else TrialState.COMPLETED
    return TrialResult(
        number=number,
        state=state,
        assignment={},
        directory="",
        values={} if value is None else {"loss": value},
        replicate_of=of,
        seed=seed,
    )


def study(*again: tuple[int, int, float | None], direction: Direction = Direction.MAXIMIZE) -> StudyResult:
    """Return a search whose trials 2, 0 and 3 are the best, and (trial, seed, value) of replicates."""
    sign = direction.sign
    search = [trial(number, sign * value) for number, value in enumerate((0.8, 0.1, 0.9, 0.7))]
    replicates = [
        trial(4 + i, None if value is None else sign * value, of=of, seed=seed)
        for i, (of, seed, value) in enumerate(again)
    ]
    return StudyResult(objective=Objective(metric="loss", direction=direction), trials=(*search, *replicates))


def test_the_first_round_trains_the_best_trials_with_one_seed() -> None:
    assert next_round(study(), 3, SEEDS) == ((2, 8), (0, 8), (3, 8))
    assert next_round(study((2, 8, 0.5), (0, 8, 0.6)), 3, SEEDS) == ((2, 8), (0, 8), (3, 8))


def test_the_worst_is_left_out_of_the_second_round_in_either_direction() -> None:
    again = ((2, 8, 0.5), (0, 8, 0.6), (3, 8, 0.55))

    assert next_round(study(*again), 3, SEEDS) == ((0, 9), (3, 9))
    assert next_round(study(*again, direction=Direction.MINIMIZE), 3, SEEDS) == ((0, 9), (3, 9))


def test_it_is_over_after_its_rounds_and_the_mean_of_the_last_two_decides() -> None:
    ended = study((2, 8, 0.75), (0, 8, 0.6), (3, 8, 0.5), (2, 9, 0.2), (0, 9, 0.6))

    assert next_round(ended, 3, SEEDS) == ()
    assert ended.best is not None
    assert ended.best.number == 0


def test_who_was_left_out_early_does_not_win_by_a_lucky_single_replicate() -> None:
    ended = study((2, 8, 0.62), (0, 8, 0.63), (3, 8, 0.61), (2, 9, 0.4), (0, 9, 0.4))

    assert ended.best is not None
    assert ended.best.number == 0


def test_it_ends_when_the_first_is_ahead_by_more_than_noise_explains() -> None:
    exact = study((2, 8, 0.9), (0, 8, 0.8), (3, 8, 0.7))
    noisy = study((2, 8, 0.9), (0, 8, 0.5), (3, 8, 0.8))

    assert next_round(exact, 3, SEEDS) == ()
    assert next_round(noisy, 3, SEEDS) == ((2, 9), (3, 9))


def test_who_diverges_with_another_seed_does_not_win() -> None:
    again = study((2, 8, None), (0, 8, 0.6), (3, 8, 0.5))
    later = study((2, 8, 0.8), (0, 8, 0.6), (3, 8, 0.5), (2, 9, None), (0, 9, 0.3))

    assert next_round(again, 3, SEEDS) == ((0, 9), (3, 9))
    assert later.best is not None
    assert later.best.number == 0


def test_without_trials_that_have_values_there_is_no_race() -> None:
    empty = StudyResult(objective=Objective(metric="loss", direction=Direction.MAXIMIZE), trials=(trial(0, None),))

    assert next_round(empty, 3, SEEDS) == ()
