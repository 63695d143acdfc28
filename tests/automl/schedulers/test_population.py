from __future__ import annotations

from automl.schedulers.base import Action, CloneRequest, Decision, Report
from automl.schedulers.population import PopulationScheduler


def decide(scheduler: PopulationScheduler, *values: float, epoch: int = 1) -> list[Decision]:
    return [scheduler.decide(Report(trial=trial, epoch=epoch, value=value)) for trial, value in enumerate(values)]


def test_at_an_interval_the_worst_member_gives_way_to_a_copy_of_the_best() -> None:
    scheduler = PopulationScheduler(interval=2, share=0.25, trials=9)

    assert {v.action for v in decide(scheduler, 0.9, 0.5, 0.7, 0.1, epoch=0)} == {Action.CONTINUE}
    decisions = decide(scheduler, 0.9, 0.5, 0.7, 0.1)

    # The first ones were compared with those that were there.
    assert [v.action.value for v in decisions] == ["continue", "stop", "continue", "stop"]
    assert scheduler.next_clone() == CloneRequest(parent=0, epoch=1)
    scheduler.cloned()
    assert scheduler.next_clone() == CloneRequest(parent=0, epoch=1)
    scheduler.cloned()
    assert scheduler.next_clone() is None
    assert "a clone of trial 0" in decisions[3].reason


def test_without_room_for_a_copy_nothing_is_stopped() -> None:
    scheduler = PopulationScheduler(interval=2, share=0.25, trials=4)

    assert [v.action.value for v in decide(scheduler, 0.9, 0.5, 0.7, 0.1)] == [
        "continue",
        "stop",
        "continue",
        "continue",
    ]


def test_who_has_trained_to_the_end_is_no_parent_and_does_not_give_way() -> None:
    scheduler = PopulationScheduler(interval=1, share=0.5, trials=9, max_epochs=2)
    decide(scheduler, 0.9, epoch=0)
    decide(scheduler, 0.9, epoch=1)

    assert scheduler.decide(Report(trial=1, epoch=0, value=0.1)).action is Action.CONTINUE
    assert scheduler.decide(Report(trial=1, epoch=1, value=0.1)).action is Action.CONTINUE


def test_a_replay_asks_for_the_same_copies() -> None:
    copies = []
    for _ in range(2):
        scheduler = PopulationScheduler(interval=1, share=0.5, trials=20)
        decide(scheduler, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, epoch=0)
        found = []
        while (copy := scheduler.next_clone()) is not None:
            found.append(copy)
            scheduler.cloned()
        copies.append(found)

    assert copies[0] == copies[1]
    assert len(copies[0]) > 1
