from __future__ import annotations

from automl.schedulers.base import GO_ON, Report, Scheduler


def test_no_rule_stops_nothing() -> None:
    assert Scheduler().decide(Report(trial=0, epoch=50, value=-1e9)) is GO_ON
