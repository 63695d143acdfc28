"""What a person sees while a study runs: one line per ended trial, and on a terminal the running ones below.

It shows the event log, so what is shown and what is recorded cannot differ.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from automl.cli.render import console, format_assignment, trial_line
from automl.duration import format_duration
from automl.errors import counted
from automl.request.policy import Route
from automl.storage.study_directory import read_study
from automl.study.events import Measured, StudyEnded, StudyStarted, TrialEnded, TrialStarted
from automl.study.result import Incumbent
from automl.tracking.base import Tracker

if TYPE_CHECKING:
    from automl.storage.event_log import Entry
    from automl.study.trial import TrialResult

_REFRESH_PER_S = 4


@dataclass(slots=True)
class _Running:
    """What is known of a running trial."""

    assignment: str
    epoch: int = 0
    value: float | None = None
    started_s: float = field(default_factory=time.monotonic)


class ProgressTracker(Tracker):
    """Shows a study on stderr."""

    def __init__(self) -> None:
        self._console = console(to_stderr=True)
        self._live: Live | None = None
        self._study: StudyStarted | None = None
        self._running: dict[int, _Running] = {}
        self._incumbent: Incumbent | None = None
        self._ended = 0
        self._started_s = time.monotonic()

    def record(self, entry: Entry) -> None:
        """Show what an event changes."""
        match entry.event:
            case StudyStarted():
                self._study_started(entry.event)
            case TrialStarted(trial=number, assignment=assignment):
                self._running[number] = _Running(format_assignment(assignment))
            case Measured():
                self._measured(entry.event)
            case TrialEnded(result=result):
                self._trial_ended(result)
            case StudyEnded():
                self.close()
            case _:
                pass

    def _study_started(self, study: StudyStarted) -> None:
        self._study = study
        _, result = read_study(Path(study.directory))
        earlier = tuple(trial for trial in result.trials if trial.state.is_final)
        self._incumbent, self._ended = Incumbent(replace(result, trials=earlier)), len(earlier)
        trials = f"{counted(study.trials, 'trial')}, {study.jobs} at once"
        what = trials if study.route == Route.TUNE else "one training"
        self._console.print(f"study {study.study}: {what}, {study.direction} {study.metric}", style="bold")
        self._console.print(f"  in {study.directory}")
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=_REFRESH_PER_S, get_renderable=self._running_table
            )
            self._live.start()

    def _measured(self, event: Measured) -> None:
        running = self._running.get(event.trial)
        if running is not None and event.epoch is not None:
            running.epoch = event.epoch + 1
            running.value = event.values.get(self._study.metric if self._study else "", running.value)

    def _trial_ended(self, result: TrialResult) -> None:
        self._running.pop(result.number, None)
        self._ended += 1
        if self._study is None or self._incumbent is None:
            return
        is_best = self._incumbent.learn(result) is not None
        line = trial_line(result, metric=self._study.metric, max_epochs=self._study.max_epochs, is_best=is_best)
        self._console.print(line, no_wrap=True, overflow="ignore", crop=False)

    def close(self) -> None:
        """Remove the live part."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _running_table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for number, running in sorted(self._running.items()):
            value = f"{running.value:.4f}" if running.value is not None else "-"
            epochs = f"{running.epoch}/{self._study.max_epochs or '?'}" if self._study else str(running.epoch)
            elapsed = format_duration(time.monotonic() - running.started_s)
            table.add_row(f"trial {number:3d}", "running", f"epoch {epochs}", value, elapsed, running.assignment)
        total = self._study.trials if self._study else 0
        leading = self._incumbent.value if self._incumbent is not None else None
        best = f"best {leading:.4f}" if leading is not None else "no value yet"
        elapsed = format_duration(time.monotonic() - self._started_s)
        table.add_row(f"{self._ended}/{total} trials", best, "", "", elapsed)
        return table
