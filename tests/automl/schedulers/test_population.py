from __future__ import annotations

from automl.schedulers.base import Copy, Decision, Report, Verdict
from automl.schedulers.population import PopulationScheduler


def judge(rule: PopulationScheduler, *values: float, epoch: int = 1) -> list[Verdict]:
    return [rule.judge(Report(trial=trial, epoch=epoch, value=value)) for trial, value in enumerate(values)]


def test_at_an_interval_the_worst_member_gives_way_to_a_copy_of_the_best() -> None:
    rule = PopulationScheduler(interval=2, share=0.25, trials=9)

    assert {v.decision for v in judge(rule, 0.9, 0.5, 0.7, 0.1, epoch=0)} == {Decision.CONTINUE}
    verdicts = judge(rule, 0.9, 0.5, 0.7, 0.1)

    # Those that came first were judged by those that were there.
    assert [v.decision.value for v in verdicts] == ["continue", "stop", "continue", "stop"]
    assert rule.next_copy() == Copy(parent=0, epoch=1)
    rule.copied()
    assert rule.next_copy() == Copy(parent=0, epoch=1)
    rule.copied()
    assert rule.next_copy() is None
    assert "a copy of trial 0" in verdicts[3].reason


def test_without_room_for_a_copy_nothing_is_stopped() -> None:
    rule = PopulationScheduler(interval=2, share=0.25, trials=4)

    assert [v.decision.value for v in judge(rule, 0.9, 0.5, 0.7, 0.1)] == ["continue", "stop", "continue", "continue"]


def test_who_has_trained_to_the_end_is_no_parent_and_does_not_give_way() -> None:
    rule = PopulationScheduler(interval=1, share=0.5, trials=9, max_epochs=2)
    judge(rule, 0.9, epoch=0)
    judge(rule, 0.9, epoch=1)

    assert rule.judge(Report(trial=1, epoch=0, value=0.1)).decision is Decision.CONTINUE
    assert rule.judge(Report(trial=1, epoch=1, value=0.1)).decision is Decision.CONTINUE


def test_a_replay_asks_for_the_same_copies() -> None:
    copies = []
    for _ in range(2):
        rule = PopulationScheduler(interval=1, share=0.5, trials=20)
        judge(rule, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, epoch=0)
        found = []
        while (copy := rule.next_copy()) is not None:
            found.append(copy)
            rule.copied()
        copies.append(found)

    assert copies[0] == copies[1]
    assert len(copies[0]) > 1
