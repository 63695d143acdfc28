from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from automl.storage.event_log import Entry
from automl.study.events import Event, Measured, TrialEnded, TrialStarted
from automl.study.trial import TrialResult, TrialState
from automl.tracking.base import TrackerGroup
from tests.automl.executor.toy_study import ListTracker

if TYPE_CHECKING:
    import pytest

EVENTS: tuple[Event, ...] = (
    TrialStarted(trial=1, attempt=1, origin="list", assignment={}, directory="trials/0001"),
    Measured(trial=1, epoch=0, step=None, max_epochs=None, values={}),
    TrialEnded(TrialResult(number=1, state=TrialState.STOPPED, assignment={}, directory="trials/0001")),
)


class FullTracker(ListTracker):
    def record(self, entry: Entry) -> None:
        if isinstance(entry.event, Measured):
            raise OSError("the disk is full")
        super().record(entry)


def test_a_tracker_that_fails_loses_the_event_and_the_others_get_it(caplog: pytest.LogCaptureFixture) -> None:
    full, other = FullTracker(), ListTracker()
    group = TrackerGroup([full, other])

    for event in EVENTS:
        group.record(Entry(event, datetime.now(UTC), 0))

    assert other.events == ["trial 1 started, attempt 1", "trial 1 measured epoch 0", "trial 1 STOPPED"]
    assert full.events == ["trial 1 started, attempt 1", "trial 1 STOPPED"]
    assert "the disk is full" in caplog.text


class BrokenTracker(ListTracker):
    def record(self, entry: Entry) -> None:
        raise OverflowError(f"{entry.event.kind} is too large")

    def close(self) -> None:
        raise OverflowError("too large to close")


class ClosedTracker(ListTracker):
    def close(self) -> None:
        self.events.append("closed")


def test_a_tracker_that_always_fails_shows_one_traceback_and_the_others_are_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = ClosedTracker()
    group = TrackerGroup([BrokenTracker(), other])

    for event in EVENTS:
        group.record(Entry(event, datetime.now(UTC), 0))
    group.close()

    assert other.events[-1] == "closed"
    assert caplog.text.count("Traceback") == 1
    assert caplog.text.count("the study continues") == len(EVENTS) + 1
