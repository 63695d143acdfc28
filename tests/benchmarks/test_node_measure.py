"""What the node benchmark reads from a study directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.node.measure import images_per_s, ran_together, slot_use

if TYPE_CHECKING:
    from pathlib import Path


def write_lines(file: Path, lines: list[dict[str, object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def event(name: str, trial: int, second: float) -> dict[str, object]:
    return {"event": f"trial_{name}", "trial": trial, "time": f"2026-01-01T00:00:{second:06.3f}+00:00"}


def test_throughput_leaves_the_first_epoch_out(tmp_path: Path) -> None:
    times = ["0:00:30", "0:00:04", "0:00:05", "0:00:06"]
    write_lines(tmp_path / "train" / "status.json", [{"time_per_epoch": text} for text in times])

    assert images_per_s(tmp_path, 100) == pytest.approx(20)


def test_one_epoch_is_no_measurement(tmp_path: Path) -> None:
    write_lines(tmp_path / "train" / "status.json", [{"time_per_epoch": "0:00:30"}])

    with pytest.raises(ValueError, match="at least 2"):
        images_per_s(tmp_path, 100)


def test_idle_time_counts_only_while_trials_are_left_to_start(tmp_path: Path) -> None:
    lines = [
        event("started", 0, 0),
        event("started", 1, 0),
        event("ended", 0, 9),
        event("started", 2, 10),  # one of two slots was idle for 1 s of 10 s
        event("ended", 1, 20),
        event("ended", 2, 50),  # after the last start nothing is waited for
    ]

    use = slot_use(write_lines(tmp_path / "events.jsonl", lines), jobs=2)

    assert use.idle_fraction == pytest.approx(1 / 20)
    assert use.longest_gap_s == pytest.approx(1)
    assert use.window_s == pytest.approx(10)


def test_the_longest_gap_is_that_of_one_slot_whatever_the_others_do_meanwhile(tmp_path: Path) -> None:
    lines = [
        event("started", 0, 0),
        event("started", 1, 0),
        event("ended", 0, 10),  # this slot waits for 6 s
        event("ended", 1, 13),  # and this one for 4 s
        event("started", 2, 16),
        event("started", 3, 17),
    ]

    use = slot_use(write_lines(tmp_path / "events.jsonl", lines), jobs=2)

    assert use.longest_gap_s == pytest.approx(6)
    assert use.idle_fraction == pytest.approx(10 / 34)


def test_a_slot_that_is_never_taken_again_is_idle_until_the_last_start(tmp_path: Path) -> None:
    lines = [
        event("started", 0, 0),
        event("started", 1, 0),
        event("ended", 0, 2),
        event("ended", 1, 5),
        event("started", 2, 5),
        event("ended", 2, 10),
        event("started", 3, 10),
    ]

    use = slot_use(write_lines(tmp_path / "events.jsonl", lines), jobs=2)

    # Slot 0 waits from 2 to 5, slot 1 from 5 to 10.
    assert use.idle_fraction == pytest.approx(8 / 20)
    assert use.longest_gap_s == pytest.approx(5)


def test_a_second_attempt_of_a_running_trial_keeps_its_slot(tmp_path: Path) -> None:
    lines = [
        event("started", 0, 0),
        event("started", 0, 4),
        event("ended", 0, 8),
        event("started", 1, 10),
    ]

    use = slot_use(write_lines(tmp_path / "events.jsonl", lines), jobs=1)

    assert use.idle_fraction == pytest.approx(2 / 10)


def test_a_study_that_started_nothing_has_no_slots_to_evaluate(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no trial that was started"):
        slot_use(write_lines(tmp_path / "events.jsonl", []), jobs=2)


@pytest.mark.parametrize(("second_starts_at", "expected"), [(9.0, True), (11.0, False)])
def test_trials_ran_together_when_the_last_started_before_the_first_ended(
    tmp_path: Path, second_starts_at: float, *, expected: bool
) -> None:
    lines = [event("started", 0, 0), event("started", 1, second_starts_at), event("ended", 0, 10)]

    assert ran_together(write_lines(tmp_path / "events.jsonl", lines)) is expected
