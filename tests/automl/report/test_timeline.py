"""The timeline lays attempts into slots and tells idle time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from automl.report.study_facts import Interval, read_facts
from automl.report.timeline import lay_out, timeline_figure
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)


def interval(trial: int, start_s: float, end_s: float) -> Interval:
    return Interval(
        trial=trial,
        start=START + timedelta(seconds=start_s),
        end=START + timedelta(seconds=end_s),
        state="COMPLETED",
    )


def test_an_attempt_goes_into_a_slot_that_is_free() -> None:
    timeline = lay_out((interval(0, 0, 10), interval(1, 0, 4), interval(2, 5, 10)), 2)

    assert timeline is not None
    assert [[i.trial for i in slot] for slot in timeline.slots] == [[0], [1, 2]]
    assert timeline.busy_fraction == pytest.approx(19 / 20)


def test_attempts_that_overlap_more_than_planned_get_a_further_slot() -> None:
    timeline = lay_out((interval(0, 0, 10), interval(1, 1, 10)), 1)

    assert timeline is not None
    assert len(timeline.slots) == 2


def test_a_slot_that_never_ran_anything_counts_as_idle() -> None:
    timeline = lay_out((interval(0, 0, 10),), 2)

    assert timeline is not None
    assert timeline.busy_fraction == 0.5


def test_nothing_that_ran_has_no_timeline() -> None:
    assert lay_out((), 2) is None


def test_the_figure_has_a_bar_for_each_attempt(tmp_path: Path) -> None:
    facts = read_facts(write_study(tmp_path / "demo").root)
    timeline = lay_out(facts.intervals, facts.jobs)
    assert timeline is not None

    figure = timeline_figure(facts, timeline)

    assert sum(len(trace["x"]) for trace in figure["data"]) == 6
