from __future__ import annotations

import math
import os
import time
from bisect import bisect_left
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.storage.trainer_files import can_open
from automl.study.trial import Measurement
from automl.trial.reporter import REPORTS_PER_S, Reporter
from benchmarks.orchestration.floods import lateness_s

if TYPE_CHECKING:
    from pathlib import Path

LINES = 5_000


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of a clock that stands still, and goes on by as much as is slept."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds + 1e-9))
    return now


def flood(reporter: Reporter, *measurements: Measurement) -> None:
    for measurement in measurements:
        reporter.add(measurement)
    reporter.finish()


def step(number: int, epoch: int = 0, **values: float) -> Measurement:
    return Measurement(epoch=epoch, step=number, values=values or {"loss": float(number)})


def split(reported: list[Measurement]) -> tuple[list[Measurement], list[str]]:
    return [m for m in reported if not m.notice], [m.notice for m in reported if m.notice]


def test_what_comes_slowly_is_reported_at_once_and_as_it_is(tmp_path: Path) -> None:
    reported: list[Measurement] = []
    reporter = Reporter(reported.append, tmp_path)

    for number in range(REPORTS_PER_S):
        assert reporter.add(step(number))
        assert reported[-1] == step(number)


def test_a_flood_of_one_epoch_is_reported_at_the_rate_that_is_allowed_and_by_its_last_value(tmp_path: Path) -> None:
    reported: list[Measurement] = []

    flood(Reporter(reported.append, tmp_path), *map(step, range(LINES)))

    found, notices = split(reported)
    assert len(found) < 2 * REPORTS_PER_S
    assert found[-1].values == {"loss": LINES - 1.0}
    assert found[-1].step == LINES - 1
    assert len(notices) == 1
    assert "more than 50 times a second" in notices[0]


def test_lines_that_say_the_same_or_add_to_each_other_are_joined_without_a_notice(tmp_path: Path) -> None:
    reported: list[Measurement] = []
    same = [step(7, d1=0.5)] * LINES

    flood(Reporter(reported.append, tmp_path), *same, step(7, d2=0.6), Measurement(epoch=0))

    found, notices = split(reported)
    assert notices == []
    assert {name: value for m in found for name, value in m.values.items()} == {"d1": 0.5, "d2": 0.6}


def test_the_same_value_at_another_step_is_not_the_same_line(tmp_path: Path) -> None:
    reported: list[Measurement] = []

    flood(Reporter(reported.append, tmp_path), *(step(number, d1=0.5) for number in range(LINES)))

    assert len(split(reported)[1]) == 1


def test_every_epoch_of_a_fast_trainer_is_reported(tmp_path: Path) -> None:
    reported: list[Measurement] = []

    flood(Reporter(reported.append, tmp_path), *(step(epoch, epoch, d1=epoch / 9) for epoch in range(200)))

    found, notices = split(reported)
    assert [m.epoch for m in found] == list(range(200))
    assert notices == []


def test_in_no_second_more_is_reported_than_may_be_also_at_the_end(tmp_path: Path, clock: list[float]) -> None:
    reported_s: list[float] = []
    reporter = Reporter(lambda m: None if m.notice else reported_s.append(clock[0]), tmp_path)

    for epoch in range(LINES):
        clock[0] += 0.001
        reporter.add(step(epoch, epoch, d1=0.5))
    ended_s = clock[0]
    reporter.finish()

    assert max(bisect_left(reported_s, at_s + 0.999) - i for i, at_s in enumerate(reported_s)) <= REPORTS_PER_S
    assert reported_s[-1] - ended_s < 5


@pytest.mark.parametrize("pauses_s", [(0.0, 60.0), (0.9, 0.9), (0.5, 3600.0, 0.01)])
def test_a_burst_after_a_pause_is_reported_like_one_at_the_beginning(
    tmp_path: Path, clock: list[float], pauses_s: tuple[float, ...]
) -> None:
    reported_s: list[float] = []
    reporter = Reporter(lambda m: None if m.notice else reported_s.append(clock[0]), tmp_path)

    for pause_s in pauses_s:
        clock[0] += pause_s
        for epoch in range(LINES):
            reporter.add(step(epoch, epoch, d1=0.5))
    reporter.finish()

    assert max(bisect_left(reported_s, at_s + 0.999) - i for i, at_s in enumerate(reported_s)) <= REPORTS_PER_S
    assert lateness_s(reported_s) < 0.01


def test_the_benchmark_finds_a_burst_wherever_it_is() -> None:
    steady, burst = [n / REPORTS_PER_S for n in range(500)], [600.0] * 500

    assert lateness_s(steady) < 0.01
    assert lateness_s([*steady, *burst]) == pytest.approx(500 / REPORTS_PER_S - 1, abs=0.1)
    assert lateness_s([0.0, *burst]) == pytest.approx(500 / REPORTS_PER_S - 1, abs=0.1)


def test_of_endless_epochs_the_last_ones_are_reported_and_that_is_said(tmp_path: Path) -> None:
    reported: list[Measurement] = []

    flood(Reporter(reported.append, tmp_path), *(step(epoch, epoch) for epoch in range(LINES)))

    found, notices = split(reported)
    assert found[-1].epoch == LINES - 1
    assert len(found) < LINES
    assert len(notices) == 1
    assert "faster than they can be recorded" in notices[0]


def test_many_metrics_count_as_several_reports(tmp_path: Path) -> None:
    reported: list[Measurement] = []
    reporter = Reporter(reported.append, tmp_path)
    large = {f"m{number}": 1.0 for number in range(20_000)}

    for epoch in range(10):
        reporter.add(step(epoch, epoch, **large))

    assert len(reported) == math.ceil(REPORTS_PER_S / 21)


def test_what_is_held_is_reported_when_there_is_time_again(tmp_path: Path, clock: list[float]) -> None:
    reported: list[Measurement] = []
    reporter = Reporter(reported.append, tmp_path)
    for number in range(REPORTS_PER_S):
        reporter.add(step(number))

    assert not reporter.add(step(REPORTS_PER_S))
    clock[0] += 1

    assert reporter.tick()
    assert reported[-1] == step(REPORTS_PER_S)


def test_a_number_that_is_finite_again_replaces_the_one_that_was_not(tmp_path: Path) -> None:
    reported: list[Measurement] = []
    reporter = Reporter(reported.append, tmp_path)
    before = [step(number) for number in range(REPORTS_PER_S)]

    flood(reporter, *before, Measurement(epoch=0, nonfinite={"d1": "nan"}), Measurement(epoch=0, values={"d1": 1.0}))

    assert reported[-1].values["d1"] == 1.0
    assert reported[-1].nonfinite == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.floats(0, 1)), max_size=300))
def test_the_last_value_of_every_metric_in_every_epoch_is_always_reported(lines: list[tuple[int, str, float]]) -> None:
    from pathlib import Path  # noqa: PLC0415 # hypothesis has no folder of its own

    reported: list[Measurement] = []

    flood(Reporter(reported.append, Path("/missing")), *(step(n, e, **{k: v}) for n, (e, k, v) in enumerate(lines)))

    last = {(epoch, name): value for epoch, name, value in lines}
    assert {(m.epoch, name): value for m in reported for name, value in m.values.items()} == last


def test_a_refused_file_and_a_notice_are_named_once_each_and_endless_ones_end(tmp_path: Path) -> None:
    reported: list[Measurement] = []
    reporter = Reporter(reported.append, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for _ in range(3):
        can_open(tmp_path, tmp_path / "pipe")
        reporter.add(Measurement(notice="left out", values={"d1": 0.5}))
    found, notices = split(reported)
    assert notices == ["left out", f"{tmp_path.name}/pipe was not read: it is a named pipe"]
    assert len(found) == 3

    flood(reporter, *(Measurement(notice=f"left out {number}") for number in range(1000)))

    assert len(split(reported)[1]) == 20
