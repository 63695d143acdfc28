from __future__ import annotations

from automl.stopping.budget import must_end_now, study_stop
from automl.study.model import Budget, Direction, Objective
from automl.study.trial import TrialResult, TrialState

ACCURACY = Objective(metric="acc", direction=Direction.MAXIMIZE)
ERROR = Objective(metric="acc", direction=Direction.MINIMIZE)


def results(*values: float | None, elapsed_s: float = 0.0) -> list[TrialResult]:
    return [
        TrialResult(
            number=i,
            state=TrialState.COMPLETED if v is not None else TrialState.FAILED,
            assignment={},
            directory="",
            values={} if v is None else {"acc": v},
            elapsed_s=elapsed_s,
        )
        for i, v in enumerate(values)
    ]


def test_a_study_goes_on_while_no_limit_is_reached() -> None:
    budget = Budget(trials=5, time_s=100, gpu_hours=1, target=0.9, patience_trials=3)

    assert study_stop(budget, ACCURACY, results(0.1, 0.2), elapsed_s=50, gpus_per_trial=2) is None


def test_every_limit_ends_a_study_in_its_own_words() -> None:
    assert study_stop(Budget(trials=2), ACCURACY, results(0.1, None), elapsed_s=0) == "all 2 trials were started"
    assert study_stop(Budget(trials=9, time_s=60), ACCURACY, [], elapsed_s=60) == "the time of 60 s is over"
    hours = study_stop(
        Budget(trials=9, gpu_hours=4), ACCURACY, results(0.1, None, elapsed_s=3600), elapsed_s=0, gpus_per_trial=2
    )
    assert hours == "4.00 of 4 GPU hours are used"


def test_a_target_is_reached_in_the_direction_of_the_objective() -> None:
    budget = Budget(trials=9, target=0.5)

    assert study_stop(budget, ACCURACY, results(0.4), elapsed_s=0) is None
    assert study_stop(budget, ACCURACY, results(0.5), elapsed_s=0) == "acc reached 0.5, the target is 0.5"
    assert study_stop(budget, ERROR, results(0.4), elapsed_s=0) == "acc reached 0.4, the target is 0.5"
    assert must_end_now(budget, ERROR, results(0.4), 0) is not None


def test_patience_counts_ended_trials_since_the_last_improvement() -> None:
    budget = Budget(trials=99, patience_trials=2)

    assert study_stop(budget, ACCURACY, results(0.1, 0.3, 0.2), elapsed_s=0) is None
    assert (
        study_stop(budget, ACCURACY, results(0.1, 0.3, 0.2, None), elapsed_s=0) == "no improvement in the last 2 trials"
    )
    assert study_stop(budget, ACCURACY, results(None, None, None), elapsed_s=0) is None
