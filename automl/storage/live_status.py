"""Where a running study stands, from its events alone: its slots, and when it may be over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from automl.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.study.trial import TrialResult


@dataclass(slots=True)
class RunningTrial:
    """A trial that runs.

    Attributes:
        number: Its number.
        attempt: One-based.
        assignment: Parameter path -> value.
        since: When the attempt started.
        epochs: Epochs measured so far.
        max_epochs: Epochs it intends to run, where known.
        value: The objective measured last.
    """

    number: int
    attempt: int
    assignment: Mapping[str, Any]
    since: datetime
    epochs: int = 0
    max_epochs: int | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a study may be over.

    Attributes:
        seconds: From now; None where nothing is known yet.
        basis: What it rests on, in words.
    """

    seconds: float | None
    basis: str


@dataclass(slots=True)
class Standing:
    """What the events of a study say so far; `learn` them in order.

    Attributes:
        metric: The objective.
        started: When the study was started or resumed last; None before.
        is_over: The study came to its end.
        slots: Trials that may run at once.
        running: Trial number -> what runs.
    """

    metric: str = ""
    started: datetime | None = None
    is_over: bool = False
    slots: int = 1
    running: dict[int, RunningTrial] = field(default_factory=dict)
    _max_epochs: int | None = None

    def learn(self, event: Mapping[str, Any]) -> None:
        """Take one event over; events of other kinds change nothing."""
        match event["event"]:
            case "study_started":
                self.started, self.is_over = datetime.fromisoformat(event["time"]), False
                self.metric, self.slots, self._max_epochs = event["metric"], event["jobs"], event["max_epochs"]
                self.running.clear()
            case "trial_started":
                self.running[event["trial"]] = RunningTrial(
                    number=event["trial"],
                    attempt=event["attempt"],
                    assignment=event["assignment"],
                    since=datetime.fromisoformat(event["time"]),
                    max_epochs=self._max_epochs,
                )
            case "measured" if event["trial"] in self.running:
                self._measured(self.running[event["trial"]], event)
            case "trial_ended":
                self.running.pop(event["trial"], None)
            case "study_ended":
                self.is_over = True
                self.running.clear()
            case _:
                pass

    def estimate(self, ended: Sequence[TrialResult], planned: int, time_s: float | None, now: datetime) -> Estimate:
        """Estimate when the study is over.

        Args:
            ended: The trials that have ended.
            planned: Trials of the whole study.
            time_s: The study's time limit.
            now: The time, with its zone.
        """
        left_s = None if time_s is None or self.started is None else time_s - (now - self.started).total_seconds()
        by_limit = Estimate(max(0.0, left_s), f"time limit {format_duration(time_s)}") if left_s and time_s else None
        by_trials = self._by_trials(ended, planned - len(ended), now)
        known = [found for found in (by_limit, by_trials) if found is not None]
        if not known:
            return Estimate(None, "no trial has ended yet")
        return min(known, key=lambda found: found.seconds or 0.0)

    def _by_trials(self, ended: Sequence[TrialResult], left: int, now: datetime) -> Estimate | None:
        if not ended:
            return None
        mean_s = sum(trial.elapsed_s for trial in ended) / len(ended)
        done_s = sum(min(mean_s, (now - trial.since).total_seconds()) for trial in self.running.values())
        slots = f"{self.slots} slots" if self.slots > 1 else "1 slot"
        basis = f"{left} to go, {format_duration(mean_s)} each so far, {slots}"
        return Estimate(max(0.0, left * mean_s - done_s) / self.slots, basis)

    def _measured(self, trial: RunningTrial, event: Mapping[str, Any]) -> None:
        if event["epoch"] is not None:
            trial.epochs = max(trial.epochs, event["epoch"] + 1)
        trial.max_epochs = event["max_epochs"] or trial.max_epochs
        trial.value = event["values"].get(self.metric, trial.value)
