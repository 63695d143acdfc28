"""What a study directory says about speed and slots: images per second of each trial, idle time between trials."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How busy the slots of a study were, from the moment when all have a trial to the last start.

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
    """Return how busy ``jobs`` slots were while trials were left to start.

    The window opens when every slot has its first trial and closes with the last start: afterwards nothing is waited
    for. A slot that is free takes the next trial in the order in which slots came free.

    Raises:
        ValueError: no trial was started.
    """
    moments = _moments(events_file)
    starts = [at for at, change in moments if change == 1]
    if not starts:
        raise ValueError(f"{events_file} has no trial that was started")
    opens, closes = starts[min(jobs, len(starts)) - 1], starts[-1]
    free_since = deque([opens] * jobs)
    gaps, taken = [], 0
    for at, change in moments:
        if change == -1:
            free_since.append(max(at, opens))
        elif at <= opens and taken < jobs:
            free_since.popleft()
            taken += 1
        else:
            gaps.append(at - free_since.popleft())
    gaps.extend(closes - since for since in free_since if since < closes)
    window = closes - opens
    idle = sum(gaps) / (jobs * window) if window else 0.0
    return Slots(idle_fraction=idle, longest_gap_s=max(gaps, default=0.0), window_s=window)


def ran_together(events_file: Path) -> bool:
    """Tell whether there was a moment at which all trials of a study ran."""
    moments = _moments(events_file)
    starts = [at for at, change in moments if change == 1]
    ends = [at for at, change in moments if change == -1]
    return bool(starts) and max(starts) < min(ends, default=max(starts) + 1)


def _moments(events_file: Path) -> list[tuple[float, int]]:
    """Return (Unix time in seconds, 1 for a start or -1 for an end) of all trials, ends first where they coincide.

    A further attempt of a trial that has not ended keeps its slot.
    """
    moments, running = [], set()
    for event in json_lines(events_file):
        at = moment_s(event)
        if event["event"] == "trial_started" and event["trial"] not in running:
            running.add(event["trial"])
            moments.append((at, 1))
        elif event["event"] == "trial_ended" and event["trial"] in running:
            running.remove(event["trial"])
            moments.append((at, -1))
    return sorted(moments)


def json_lines(file: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("{")]


def moment_s(event: dict[str, Any]) -> float:
    """Return the time of an event of a study in seconds since 1970."""
    return dt.datetime.fromisoformat(event["time"]).timestamp()


def seconds(text: str) -> float:
    """Return the seconds of ``hours:minutes:seconds``."""
    hours, minutes, rest = text.split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(rest)
