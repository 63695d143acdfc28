from __future__ import annotations

from automl.schedulers.asha import AshaScheduler, HyperbandScheduler, PausingAshaScheduler, rung_epochs
from automl.schedulers.base import Action, Report


def test_nothing_is_stopped_before_four_trials_reached_a_rung() -> None:
    scheduler = AshaScheduler((1, 3), 3.0)

    decisions = [scheduler.decide(Report(trial=i, epoch=0, value=-float(i))).action for i in range(4)]

    assert decisions == [Action.CONTINUE] * 3 + [Action.STOP]


def test_the_reason_names_rung_value_and_threshold() -> None:
    scheduler = AshaScheduler((2,), 3.0)
    for trial, value in enumerate((0.5, 0.4, 0.3)):
        scheduler.decide(Report(trial=trial, epoch=1, value=value))

    decision = scheduler.decide(Report(trial=3, epoch=1, value=0.1))

    assert decision.reason == "rung 2: 0.1 is not among the best 1/3, which ends at 0.4"


def test_a_trial_is_compared_by_its_best_epoch_so_far() -> None:
    scheduler = AshaScheduler((2,), 3.0)
    for trial, value in enumerate((0.5, 0.4, 0.3)):
        scheduler.decide(Report(trial=trial, epoch=1, value=value))

    scheduler.decide(Report(trial=3, epoch=0, value=0.9))

    assert scheduler.decide(Report(trial=3, epoch=1, value=0.0)).action is Action.CONTINUE


def test_a_trial_that_skips_reports_is_compared_at_the_rungs_it_passed() -> None:
    scheduler = AshaScheduler((1, 3), 3.0)
    for trial, value in enumerate((0.5, 0.4, 0.3)):
        scheduler.decide(Report(trial=trial, epoch=4, value=value))

    assert scheduler.decide(Report(trial=3, epoch=4, value=0.1)).action is Action.STOP


def test_hyperband_gives_most_trials_to_the_bracket_that_stops_earliest() -> None:
    scheduler = HyperbandScheduler((1, 3, 9), 3.0)

    brackets = [scheduler.bracket_of(trial) for trial in range(40)]

    assert set(brackets) == {0, 1, 2, 3}
    assert max(brackets, key=brackets.count) == 0


def test_a_paused_trial_goes_on_once_enough_worse_ones_have_come() -> None:
    scheduler = PausingAshaScheduler((1, 3), eta=3.0)
    decisions = [
        scheduler.decide(Report(trial=trial, epoch=0, value=value)) for trial, value in enumerate((0.5, 0.4, 0.3))
    ]
    assert [v.action for v in decisions] == [Action.PAUSE] * 3
    assert scheduler.next_promotion([1, 2]) is None

    assert scheduler.next_promotion([0, 1, 2]) == 0
    scheduler.promote(0)

    assert scheduler.next_promotion([0, 1, 2]) is None
    assert scheduler.decide(Report(trial=0, epoch=0, value=0.5)).action is Action.CONTINUE
    assert scheduler.decide(Report(trial=0, epoch=1, value=0.6)).action is Action.CONTINUE
    assert scheduler.decide(Report(trial=0, epoch=2, value=0.7)).action is Action.PAUSE
    assert (
        "rung 3: 0.7 is not among the best 0 of the 1 trials"
        in scheduler.decide(Report(trial=0, epoch=2, value=1)).reason
    )


def test_a_trial_among_the_best_share_is_not_paused() -> None:
    scheduler = PausingAshaScheduler((1,), eta=2.0)
    values = (0.1, 0.2, 0.3, 0.05)

    decisions = [scheduler.decide(Report(trial=trial, epoch=0, value=value)) for trial, value in enumerate(values)]

    assert [v.action.value for v in decisions] == ["pause", "continue", "continue", "pause"]


def test_at_the_end_of_a_small_study_the_best_trial_is_trained_to_the_end() -> None:
    scheduler = PausingAshaScheduler((1, 3), eta=3.0)
    for trial, value in enumerate((0.4, 0.5)):
        scheduler.decide(Report(trial=trial, epoch=0, value=value))

    assert scheduler.next_promotion([0, 1]) is None
    assert scheduler.next_promotion([0, 1], is_last=True) == 1
    scheduler.promote(1)
    scheduler.decide(Report(trial=1, epoch=2, value=0.6))
    assert scheduler.next_promotion([0, 1], is_last=True) == 1
    scheduler.promote(1)
    assert scheduler.next_promotion([0], is_last=True) is None


def test_a_number_of_epochs_that_no_float_holds_has_rungs_too() -> None:
    assert rung_epochs(1, 3.0, 10) == (1, 3, 9)
    assert rung_epochs(1, 1e200, 10**400)[:2] == (1, round(1e200))
