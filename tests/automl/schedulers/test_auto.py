from __future__ import annotations

from automl.schedulers.auto import AutoScheduler
from automl.schedulers.base import Decision, Report
from automl.schedulers.simple import MedianScheduler


def rule() -> AutoScheduler:
    return AutoScheduler(MedianScheduler(grace=1), patience=2, grace=1)


def test_a_trial_that_stands_still_behind_the_best_is_stopped() -> None:
    judged = rule()
    judged.judge(Report(trial=0, epoch=0, value=0.9))

    verdicts = [judged.judge(Report(trial=1, epoch=e, value=0.5)) for e in range(3)]

    assert [v.decision for v in verdicts] == [Decision.CONTINUE, Decision.CONTINUE, Decision.STOP]
    assert verdicts[-1].reason == "epoch 3: no improvement on 0.5 for 2 epochs, while another trial reached 0.9"


def test_the_best_trial_may_stand_still() -> None:
    judged = rule()
    judged.judge(Report(trial=0, epoch=0, value=0.4))

    verdicts = [judged.judge(Report(trial=1, epoch=e, value=0.5)) for e in range(9)]

    assert {v.decision for v in verdicts} == {Decision.CONTINUE}


def test_a_trial_below_the_median_is_stopped_without_waiting() -> None:
    judged = rule()
    for trial, value in enumerate((0.5, 0.6, 0.7)):
        judged.judge(Report(trial=trial, epoch=0, value=value))

    assert judged.judge(Report(trial=3, epoch=0, value=0.1)).decision is Decision.STOP
