"""What a person sees while a study runs: a line per ended trial, on a terminal and in a notebook also the running ones.

It shows the event log, so what is shown and what is recorded cannot differ.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from automl import clock
from automl.cli.notebook import NotebookCell
from automl.cli.render import console, epochs_so_far, format_assignment, format_measure, trial_line
from automl.duration import format_duration
from automl.errors import counted
from automl.request.policy import Route
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_state, study_of_plan
from automl.study.events import StudyEnded, StudyStarted, TrialEnded
from automl.study.replication import what_follows
from automl.study.state import Phase, StudyState, apply
from automl.tracking.base import Tracker
from automl.transfer import described

if TYPE_CHECKING:
    from automl.storage.event_log import Entry
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

_REFRESH_PER_S = 4


class ProgressTracker(Tracker):
    """Shows a study on stderr."""

    def __init__(self) -> None:
        self._console = console(to_stderr=True)
        self._live: Live | None = None
        self._cell = NotebookCell(self._running_table) if self._console.is_jupyter else None
        self._paths = StudyPaths(Path())
        self._study: StudyResult | None = None
        self._state = StudyState()
        self._started_s = time.monotonic()

    def open(self, study: StudyPaths) -> None:
        """Note which study is shown."""
        self._paths = study

    def record(self, entry: Entry) -> None:
        """Show what an event changes."""
        if isinstance(entry.event, StudyStarted):
            self._begin(entry.event)
            if self._cell is not None:
                self._cell.refresh()
            return
        before = self._leader() if isinstance(entry.event, TrialEnded) else None
        apply(self._state, entry.event, entry.time)
        if isinstance(entry.event, TrialEnded):
            leader = self._leader()
            is_best = leader is not None and leader != before and leader.number == entry.event.result.number
            self._print_end(entry.event.result, is_best=is_best)
        elif isinstance(entry.event, StudyEnded):
            self.close()
        if self._cell is not None:
            self._cell.refresh()

    def _begin(self, study: StudyStarted) -> None:
        plan = read_plan(self._paths)
        self._study, self._state = study_of_plan(plan), read_state(self._paths)
        trials = f"{counted(study.trials, 'trial')}{what_follows(plan)}, {study.jobs} at once"
        what = trials if study.route == Route.TUNE else "one training"
        self._print(f"study {study.study}: {what}, {study.direction} {study.metric}", style="bold")
        if study.route == Route.TRAIN_ONCE:
            self._print(f"  because {plan.reasons[0]}")
        is_switched_off = plan.request.get("warm_start") == []
        for sentence in described(plan.earlier, plan.origins, is_switched_off=is_switched_off):
            self._print(f"  {sentence}")
        self._print(f"  in {self._paths.root}")
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=_REFRESH_PER_S, get_renderable=self._running_table
            )
            self._live.start()

    def _print(self, text: str, style: str = "") -> None:
        if self._cell is not None:
            self._cell.print_heading(text, style)
        else:
            self._console.print(text, style=style)

    def _leader(self) -> TrialResult | None:
        ranked = replace(self._study, trials=self._state.results).ranked() if self._study is not None else ()
        return ranked[0] if ranked else None

    def _print_end(self, result: TrialResult, *, is_best: bool) -> None:
        study = self._state.started
        if study is not None:
            line = trial_line(result, metric=study.metric, max_epochs=study.max_epochs, is_best=is_best)
            if self._cell is not None:
                self._cell.print_line(line)
            else:
                self._console.print(line, no_wrap=True, overflow="ignore", crop=False)

    def close(self) -> None:
        """Remove the live part; in a notebook show the last state."""
        if self._cell is not None:
            self._cell.refresh(is_last=True)
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _running_table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        study, leader = self._state.started, self._leader()
        if study is None:
            return table
        for trial in self._state.in_phase(Phase.RUNNING):
            last = trial.last_value(study.metric)
            value = format_measure(last) if last is not None else "-"
            epochs = epochs_so_far(trial.epochs, trial.max_epochs or study.max_epochs)
            elapsed = format_duration(clock.seconds_since(trial.since) if trial.since else 0.0)
            assignment = format_assignment(trial.proposal.assignment)
            table.add_row(f"trial {trial.number:3d}", "running", epochs, value, elapsed, assignment)
        best = "no value yet" if leader is None else f"best {format_measure(leader.values[study.metric])}"
        elapsed = format_duration(time.monotonic() - self._started_s)
        table.add_row(f"{len(self._state.ended)}/{study.trials} trials", best, "", "", elapsed)
        return table
