"""What a study directory says about speed and slots: images per second of each trial, idle time between trials."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How busy the slots of a study were, from its first start to its last start.

    Attributes:
        idle_fraction: Slot time without a trial over all slot time.
        longest_gap_s: Longest time in which a slot waited for its next trial.
        window_s: Length of the window.
    """

    idle_fraction: float
    longest_gap_s: float
    window_s: float


def images_per_s(trial: Path, images_per_epoch: int) -> float:
    """Return the training throughput of a trial: the median over its epochs, the first one (warm-up) left out.

    Raises:
        ValueError: the trial has fewer than two epochs.
    """
    times = [
        seconds(line["time_per_epoch"])
        for line in json_lines(trial / "train" / "status.json")
        if "time_per_epoch" in line
    ]
    if len(times) < 2:  # noqa: PLR2004 - one to warm up, one to measure
        raise ValueError(f"{trial} has {len(times)} epochs; at least 2 are needed")
    return images_per_epoch / statistics.median(times[1:])


def slot_use(events_file: Path, jobs: int) -> Slots:
    """Return how busy ``jobs`` slots were while trials were left to start."""
    moments = [
        (dt.datetime.fromisoformat(event["time"]).timestamp(), 1 if event["event"] == "trial_started" else -1)
        for event in json_lines(events_file)
        if event["event"] in {"trial_started", "trial_ended"}
    ]
    starts = [at for at, change in moments if change == 1]
    first_full, last = sorted(starts)[min(jobs, len(starts)) - 1], max(starts)
    busy, idle, longest, before = 0, 0.0, 0.0, first_full
    for at, change in sorted(moments):
        if first_full < at <= last:
            idle += (jobs - busy) * (at - before)
            longest = max(longest, at - before) if busy < jobs else longest
        before = max(at, first_full)
        busy += change
    window = last - first_full
    return Slots(idle_fraction=idle / (jobs * window) if window else 0.0, longest_gap_s=longest, window_s=window)


def json_lines(file: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("{")]


def seconds(text: str) -> float:
    """Return the seconds of ``hours:minutes:seconds``."""
    hours, minutes, rest = text.split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(rest)
