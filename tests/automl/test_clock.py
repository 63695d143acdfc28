"""The time of events does not step, whatever sets the machine's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from automl import clock
from automl.storage.event_log import EventLog, read_log
from automl.study.events import StudySuspended

if TYPE_CHECKING:
    from pathlib import Path


def test_the_time_is_that_of_the_machine_when_nothing_sets_it() -> None:
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 1
    assert abs(clock.unix_time_s() - time.time()) < 1


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_events_around_a_step_of_the_clock_keep_their_order_and_distance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    log, real = EventLog(tmp_path / "events.jsonl"), time.time
    log.append(StudySuspended(reason="before"))
    monkeypatch.setattr(time, "time", lambda: real() + step_s)
    log.append(StudySuspended(reason="after"))
    log.close()

    before, after = (entry.time for entry in read_log(tmp_path / "events.jsonl"))

    assert timedelta() <= after - before < timedelta(seconds=60)


def test_what_another_process_has_noted_with_a_clock_that_is_ahead_began_now() -> None:
    assert clock.seconds_since(clock.now() + timedelta(hours=1)) == 0.0
    assert clock.seconds_since(clock.now() - timedelta(hours=1)) == pytest.approx(3600, abs=60)
