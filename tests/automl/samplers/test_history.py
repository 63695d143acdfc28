from __future__ import annotations

from dataclasses import replace

from automl.samplers.history import History, Observation, is_usable
from automl.study.causes import Origin, OriginKind
from automl.study.trial import TrialState


def running(number: int) -> Observation:
    return Observation(number=number, assignment={}, origin=Origin(OriginKind.RANDOM), state=TrialState.RUNNING)


def test_finished_trials_come_in_the_order_in_which_they_ended() -> None:
    late = Observation(number=0, assignment={}, origin=Origin(OriginKind.GIVEN), state=TrialState.FAILED, finished_as=1)
    early = Observation(
        number=1,
        assignment={},
        origin=Origin(OriginKind.GIVEN),
        state=TrialState.COMPLETED,
        values=(0.1,),
        finished_as=0,
    )
    history = History(observations=(late, early, running(2)))

    assert [o.number for o in history.finished] == [1, 0]
    assert [o.number for o in history.pending] == [2]
    assert [is_usable(o) for o in history.observations] == [False, True, False]


def test_an_order_that_is_known_is_not_kept_by_a_history_of_other_trials() -> None:
    ended = Observation(
        number=0, assignment={}, origin=Origin(OriginKind.GIVEN), state=TrialState.COMPLETED, finished_as=0
    )
    history = History.of([ended], [ended])

    assert history.finished == (ended,)
    assert replace(history, observations=(running(0),)).finished == ()
    assert history == History(observations=(ended,))
