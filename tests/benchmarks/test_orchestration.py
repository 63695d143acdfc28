"""The commands of benchmarks/orchestration/README.md run as they are written; their bounds are for a busy machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.orchestration.gaps import gaps_s
from benchmarks.orchestration.on_gpus import FirstSteps

if TYPE_CHECKING:
    from pathlib import Path


def event(name: str, second: float) -> dict[str, str]:
    return {"event": name, "time": f"2026-11-23T12:00:{second:06.3f}+00:00"}


def test_a_gap_is_counted_from_an_end_to_the_next_start_and_to_its_first_line() -> None:
    events = [
        event("trial_started", 0.0),
        event("measured", 1.0),
        event("trial_ended", 2.0),
        event("trial_started", 2.25),
        event("measured", 2.5),
        event("measured", 9.0),
        event("trial_ended", 10.0),
    ]

    assert gaps_s(events) == ([0.25], [0.5])


def test_the_first_step_of_a_trial_is_its_first_epoch_before_that_was_reported(tmp_path: Path) -> None:
    status = tmp_path / "gap" / "study" / "trials" / "0003" / "train" / "status.json"
    status.parent.mkdir(parents=True)

    with FirstSteps(tmp_path / "gap") as first_steps:
        reported_s = time.time()
        status.write_text('{"status": "RUNNING"}\n{"time_per_epoch": "0:01:40.5", "epoch": 0}\n', encoding="utf-8")
        while not first_steps.at:
            time.sleep(0.001)

    assert first_steps.at.keys() == {3}
    assert reported_s - 100.5 <= first_steps.at[3] <= time.time() - 100.5


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_trial_costs_little_a_diverged_one_dies_at_once_and_its_slot_is_used_again() -> None:
    table = run("benchmarks.orchestration.overhead", "--trials", "16", "--kills", "4", "--only", "automl")

    cells = [cell.strip() for cell in table.splitlines()[-1].split("|")[1:-1]]
    per_trial_s, dead_s, child_dead_s, reused_s = (float(cell.split()[0]) for cell in cells[1:5])
    assert per_trial_s < 0.7
    assert max(dead_s, child_dead_s) < 2.0
    assert reused_s < 3.0
    assert cells[5] == "0"


@pytest.mark.slow
def test_the_chaos_table_shows_of_each_fault_what_became_of_its_trial(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"

    table = run("benchmarks.orchestration.chaos", "--only", "fork", "--faults", "2", "--json", str(file))

    assert "| NaN at epoch 3 | DIVERGED | ok" in table
    assert json.loads(file.read_text(encoding="utf-8"))["good"] is True
