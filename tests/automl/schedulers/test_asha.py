from __future__ import annotations

from automl.schedulers.asha import AshaScheduler, HyperbandScheduler, PausingAshaScheduler
from automl.schedulers.base import Decision, Report


def test_nothing_is_stopped_before_four_trials_reached_a_rung() -> None:
    rule = AshaScheduler((1, 3), 3.0)

    decisions = [rule.judge(Report(trial=i, epoch=0, value=-float(i))).decision for i in range(4)]

    assert decisions == [Decision.CONTINUE] * 3 + [Decision.STOP]


def test_the_reason_names_rung_value_and_threshold() -> None:
    rule = AshaScheduler((2,), 3.0)
    for trial, value in enumerate((0.5, 0.4, 0.3)):
        rule.judge(Report(trial=trial, epoch=1, value=value))

    verdict = rule.judge(Report(trial=3, epoch=1, value=0.1))

    assert verdict.reason == "rung 2: 0.1 is not among the best 1/3, which ends at 0.4"


def test_a_trial_is_compared_by_its_best_epoch_so_far() -> None:
    rule = AshaScheduler((2,), 3.0)
    for trial, value in enumerate((0.5, 0.4, 0.3)):
        rule.judge(Report(trial=trial, epoch=1, value=value))

    rule.judge(Report(trial=3, epoch=0, value=0.9))

    assert rule.judge(Report(trial=3, epoch=1, value=0.0)).decision is Decision.CONTINUE


def test_a_trial_that_skips_reports_is_judged_at_the_rungs_it_passed() -> None:
    rule = AshaScheduler((1, 3), 3.0)
    for trial, value in enumerate((0.5, 0.4, 0.3)):
        rule.judge(Report(trial=trial, epoch=4, value=value))

    assert rule.judge(Report(trial=3, epoch=4, value=0.1)).decision is Decision.STOP


def test_hyperband_gives_most_trials_to_the_bracket_that_stops_earliest() -> None:
    rule = HyperbandScheduler((1, 3, 9), 3.0)

    brackets = [rule.bracket_of(trial) for trial in range(40)]

    assert set(brackets) == {0, 1, 2, 3}
    assert max(brackets, key=brackets.count) == 0


def test_a_paused_trial_goes_on_once_enough_worse_ones_have_come() -> None:
    rule = PausingAshaScheduler((1, 3), eta=3.0)
    verdicts = [rule.judge(Report(trial=trial, epoch=0, value=value)) for trial, value in enumerate((0.5, 0.4, 0.3))]
    assert [v.decision for v in verdicts] == [Decision.PAUSE] * 3
    assert rule.next_promotion([1, 2]) is None

    assert rule.next_promotion([0, 1, 2]) == 0
    rule.promote(0)

    assert rule.next_promotion([0, 1, 2]) is None
    assert rule.judge(Report(trial=0, epoch=0, value=0.5)).decision is Decision.CONTINUE
    assert rule.judge(Report(trial=0, epoch=1, value=0.6)).decision is Decision.CONTINUE
    assert rule.judge(Report(trial=0, epoch=2, value=0.7)).decision is Decision.PAUSE
    assert "rung 3: 0.7 is not among the best 0 of the 1 trials" in rule.judge(Report(trial=0, epoch=2, value=1)).reason


def test_a_trial_among_the_best_share_is_not_paused() -> None:
    rule = PausingAshaScheduler((1,), eta=2.0)
    values = (0.1, 0.2, 0.3, 0.05)

    verdicts = [rule.judge(Report(trial=trial, epoch=0, value=value)) for trial, value in enumerate(values)]

    assert [v.decision.value for v in verdicts] == ["pause", "continue", "continue", "pause"]


def test_at_the_end_of_a_small_study_the_best_trial_is_trained_to_the_end() -> None:
    rule = PausingAshaScheduler((1, 3), eta=3.0)
    for trial, value in enumerate((0.4, 0.5)):
        rule.judge(Report(trial=trial, epoch=0, value=value))

    assert rule.next_promotion([0, 1]) is None
    assert rule.next_promotion([0, 1], is_last=True) == 1
    rule.promote(1)
    rule.judge(Report(trial=1, epoch=2, value=0.6))
    assert rule.next_promotion([0, 1], is_last=True) == 1
    rule.promote(1)
    assert rule.next_promotion([0], is_last=True) is None
