"""The stall timeout: a trainer that writes is alive, and the limit adapts to its pace."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from automl.trial import follow
from automl.trial.follow import StallTimeout

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ticking = Clock()
    monkeypatch.setattr(follow, "time", ticking)
    return ticking


def limit(log: Path, clock: Clock, limit_s: float | None) -> StallTimeout:
    def log_bytes() -> int:
        return log.stat().st_size if log.exists() else 0

    return StallTimeout(limit_s=limit_s, log_bytes=log_bytes, _active_s=clock.now_s, _measured_s=clock.now_s)


def test_without_a_limit_no_stall_is_too_long(tmp_path: Path, clock: Clock) -> None:
    quiet = limit(tmp_path / "log", clock, None)
    clock.now_s += 1e6

    assert quiet.exceeded() is None


def test_a_stall_is_too_long_after_the_limit(tmp_path: Path, clock: Clock) -> None:
    quiet = limit(tmp_path / "log", clock, 600.0)

    clock.now_s += 599.0
    assert quiet.exceeded() is None
    clock.now_s += 2.0
    assert quiet.exceeded() == pytest.approx(601.0)


def test_a_growing_log_is_a_sign_of_life(tmp_path: Path, clock: Clock) -> None:
    log = tmp_path / "log"
    quiet = limit(log, clock, 600.0)
    for i in range(1, 10):
        clock.now_s += 400.0
        log.write_text("x" * i, encoding="utf-8")
        assert quiet.exceeded() is None

    clock.now_s += 601.0
    assert quiet.exceeded() is not None


def test_the_limit_shrinks_to_ten_times_the_longest_gap(tmp_path: Path, clock: Clock) -> None:
    quiet = limit(tmp_path / "log", clock, 6000.0)
    for gap_s in (5.0, 8.0, 6.0):
        clock.now_s += gap_s
        quiet.reset()

    clock.now_s += 79.0
    assert quiet.exceeded() is None
    clock.now_s += 2.0
    assert quiet.exceeded() is not None


def test_a_fast_trainer_still_has_half_a_minute(tmp_path: Path, clock: Clock) -> None:
    quiet = limit(tmp_path / "log", clock, 6000.0)
    for _ in itertools.repeat(None, 5):
        clock.now_s += 0.1
        quiet.reset()

    clock.now_s += 29.0
    assert quiet.exceeded() is None
