from __future__ import annotations

from automl.schedulers.base import Action, Report
from automl.schedulers.simple import AutoScheduler, IEpochScheduler, MedianScheduler, PatienceScheduler


def test_the_median_rule_compares_best_values_at_the_same_epoch() -> None:
    scheduler = MedianScheduler(grace=1)
    for trial, value in enumerate((0.2, 0.4, 0.6)):
        scheduler.decide(Report(trial=trial, epoch=0, value=value))
        scheduler.decide(Report(trial=trial, epoch=1, value=value + 0.3))

    assert scheduler.decide(Report(trial=3, epoch=0, value=0.5)).action is Action.CONTINUE
    decision = scheduler.decide(Report(trial=3, epoch=1, value=0.6))
    assert decision.reason == "epoch 2: 0.6 is worse than the median of its peers, 0.7"


def test_i_epoch_goes_on_with_the_best_seen_so_far() -> None:
    scheduler = IEpochScheduler(probe_epochs=1, keep=2)

    decisions = [scheduler.decide(Report(trial=i, epoch=0, value=v)).action for i, v in enumerate((0.5, 0.4, 0.1, 0.6))]

    assert decisions == [Action.CONTINUE, Action.CONTINUE, Action.STOP, Action.CONTINUE]


def test_equal_values_share_the_better_place() -> None:
    scheduler = IEpochScheduler(probe_epochs=1, keep=2)

    decisions = [scheduler.decide(Report(trial=i, epoch=0, value=v)).action for i, v in enumerate((0.6, 0.5, 0.5, 0.4))]

    assert decisions == [Action.CONTINUE, Action.CONTINUE, Action.CONTINUE, Action.STOP]


def test_patience_waits_from_the_best_epoch_on() -> None:
    scheduler = PatienceScheduler(patience=2, grace=1)

    decisions = [scheduler.decide(Report(trial=0, epoch=e, value=v)).action for e, v in enumerate((0.1, 0.3, 0.2, 0.3))]

    assert decisions == [Action.CONTINUE] * 3 + [Action.STOP]


def made() -> AutoScheduler:
    return AutoScheduler(patience=2, grace=1)


def test_a_trial_that_stands_still_behind_the_best_is_stopped() -> None:
    scheduler = made()
    scheduler.decide(Report(trial=0, epoch=0, value=0.9))

    decisions = [scheduler.decide(Report(trial=1, epoch=e, value=0.5)) for e in range(3)]

    assert [v.action for v in decisions] == [Action.CONTINUE, Action.CONTINUE, Action.STOP]
    assert decisions[-1].reason == "epoch 3: no improvement on 0.5 for 2 epochs, while another trial reached 0.9"


def test_the_best_trial_may_stand_still() -> None:
    scheduler = made()
    scheduler.decide(Report(trial=0, epoch=0, value=0.4))

    decisions = [scheduler.decide(Report(trial=1, epoch=e, value=0.5)) for e in range(9)]

    assert {v.action for v in decisions} == {Action.CONTINUE}


def test_a_trial_below_the_median_is_stopped_without_waiting() -> None:
    scheduler = made()
    for trial, value in enumerate((0.5, 0.6, 0.7)):
        scheduler.decide(Report(trial=trial, epoch=0, value=value))

    assert scheduler.decide(Report(trial=3, epoch=0, value=0.1)).action is Action.STOP
