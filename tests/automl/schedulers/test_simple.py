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


def test_a_trial_that_stands_still_is_stopped_also_if_it_is_the_best() -> None:
    for ahead in (0.4, 0.9):
        scheduler = made()
        scheduler.decide(Report(trial=0, epoch=0, value=ahead))

        decisions = [scheduler.decide(Report(trial=1, epoch=e, value=0.5)) for e in range(3)]

        assert [v.action for v in decisions] == [Action.CONTINUE, Action.CONTINUE, Action.STOP]
        assert decisions[-1].reason == "epoch 3: no improvement on 0.5 for 2 epochs"


def test_a_trial_that_is_below_the_median_twice_in_a_row_is_stopped_without_waiting() -> None:
    scheduler = made()
    for trial, value in enumerate((0.5, 0.6, 0.7)):
        for epoch in range(4):
            scheduler.decide(Report(trial=trial, epoch=epoch, value=value + 0.1 * epoch))

    rising = [scheduler.decide(Report(trial=3, epoch=e, value=v)) for e, v in enumerate((0.5, 0.8, 0.75, 0.85))]
    falling = [scheduler.decide(Report(trial=4, epoch=e, value=v)) for e, v in enumerate((0.5, 0.6))]

    assert {v.action for v in rising} == {Action.CONTINUE}
    assert [v.action for v in falling] == [Action.CONTINUE, Action.STOP]
    assert falling[-1].reason == "epoch 2: 0.6 is worse than the median of its peers, 0.75"
