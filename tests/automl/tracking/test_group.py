from __future__ import annotations

from typing import TYPE_CHECKING

from automl.study.causes import Origin, OriginKind
from automl.study.trial import Measurement, Proposal, TrialResult, TrialState
from automl.tracking.group import TrackerGroup
from tests.automl.executor.toy_study import ListTracker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class DeafTracker(ListTracker):
    def measured(self, number: int, measurement: Measurement) -> None:
        raise OSError(f"trial {number}, {measurement.epoch}: the disk is full")


def test_one_who_fails_misses_the_event_and_the_others_hear_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deaf, awake = DeafTracker(), ListTracker()
    audience = TrackerGroup([deaf, awake])

    audience.trial_started(Proposal(number=1, assignment={}, origin=Origin(OriginKind.GIVEN)), tmp_path, 1)
    audience.measured(1, Measurement(epoch=0))
    audience.trial_ended(TrialResult(number=1, state=TrialState.STOPPED, assignment={}, directory="trials/0001"))

    assert awake.events == ["trial 1 started, attempt 1", "trial 1 measured epoch 0", "trial 1 STOPPED"]
    assert deaf.events == ["trial 1 started, attempt 1", "trial 1 STOPPED"]
    assert "the disk is full" in caplog.text
