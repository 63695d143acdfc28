from __future__ import annotations

from automl.schedulers.base import Decision, Report
from automl.schedulers.simple import AutoScheduler, IEpochScheduler, MedianScheduler, PatienceScheduler


def test_the_median_rule_compares_best_values_at_the_same_epoch() -> None:
    rule = MedianScheduler(grace=1)
    for trial, value in enumerate((0.2, 0.4, 0.6)):
        rule.judge(Report(trial=trial, epoch=0, value=value))
        rule.judge(Report(trial=trial, epoch=1, value=value + 0.3))

    assert rule.judge(Report(trial=3, epoch=0, value=0.5)).decision is Decision.CONTINUE
    verdict = rule.judge(Report(trial=3, epoch=1, value=0.6))
    assert verdict.reason == "epoch 2: 0.6 is worse than the median of its peers, 0.7"


def test_i_epoch_goes_on_with_the_best_seen_so_far() -> None:
    rule = IEpochScheduler(probe_epochs=1, keep=2)

    decisions = [rule.judge(Report(trial=i, epoch=0, value=v)).decision for i, v in enumerate((0.5, 0.4, 0.1, 0.6))]

    assert decisions == [Decision.CONTINUE, Decision.CONTINUE, Decision.STOP, Decision.CONTINUE]


def test_patience_waits_from_the_best_epoch_on() -> None:
    rule = PatienceScheduler(patience=2, grace=1)

    decisions = [rule.judge(Report(trial=0, epoch=e, value=v)).decision for e, v in enumerate((0.1, 0.3, 0.2, 0.3))]

    assert decisions == [Decision.CONTINUE] * 3 + [Decision.STOP]


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
