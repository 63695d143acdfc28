"""What the node benchmark reads from a study directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.node.measure import images_per_s, slot_use

if TYPE_CHECKING:
    from pathlib import Path


def write_lines(file: Path, lines: list[dict[str, object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def event(name: str, second: float) -> dict[str, object]:
    return {"event": name, "time": f"2026-01-01T00:00:{second:06.3f}+00:00"}


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
        event("trial_started", 0),
        event("trial_started", 0),
        event("trial_ended", 9),
        event("trial_started", 10),  # one of two slots was idle for 1 s of 10 s
        event("trial_ended", 20),
        event("trial_ended", 50),  # after the last start nothing is waited for
    ]

    use = slot_use(write_lines(tmp_path / "events.jsonl", lines), jobs=2)

    assert use.idle_fraction == pytest.approx(1 / 20)
    assert use.longest_gap_s == pytest.approx(1)
    assert use.window_s == pytest.approx(10)
