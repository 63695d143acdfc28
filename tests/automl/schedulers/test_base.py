from __future__ import annotations

from automl.schedulers.base import GO_ON, Report, Scheduler


def test_no_rule_stops_nothing() -> None:
    assert Scheduler().decide(Report(trial=0, epoch=50, value=-1e9)) is GO_ON


def test_a_trial_has_no_best_value_at_an_epoch_it_has_not_reached() -> None:
    scheduler = Scheduler()
    scheduler.decide(Report(trial=0, epoch=0, value=0.7))
    scheduler.decide(Report(trial=0, epoch=2, value=0.5))

    assert scheduler.best_at(0, 1) == 0.7
    assert scheduler.best_at(0, 3) is None
    assert scheduler.peers_at(1, 2) == [0.7]
