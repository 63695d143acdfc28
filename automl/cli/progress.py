"""What a person sees while a study runs: one line per ended trial, and on a terminal the running ones below.

It is a tracker like any other, so what is shown and what is recorded cannot differ.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from automl.cli.render import console, format_assignment, trial_line
from automl.duration import format_duration
from automl.errors import counted
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.incumbent import Incumbent
from automl.tracking.base import Tracker

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult

_REFRESH_PER_S = 4


class ProgressTracker(Tracker):
    """Shows a study on stderr."""

    def __init__(self) -> None:
        self._console = console(to_stderr=True)
        self._live: Live | None = None
        self._plan: StudyPlan | None = None
        self._running: dict[int, _Running] = {}
        self._incumbent: Incumbent | None = None
        self._ended = 0
        self._started_s = time.monotonic()

    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Show what runs and where."""
        self._plan = plan
        earlier = [result for result in read_results(StudyPaths(directory)) if result.state.is_final]
        self._incumbent, self._ended = Incumbent(plan, earlier), len(earlier)
        trials = f"{counted(plan.budget.trials, 'trial')}, {plan.resources.jobs} at once"
        what = trials if plan.space.parameters else "one training"
        self._console.print(
            f"study {plan.name}: {what}, {plan.objective.direction} {plan.objective.metric}", style="bold"
        )
        self._console.print(f"  in {directory}")
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=_REFRESH_PER_S, get_renderable=self._running_table
            )
            self._live.start()

    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Show a trial among the running ones."""
        del directory, attempt
        self._running[proposal.number] = _Running(format_assignment(proposal.assignment))

    def measured(self, number: int, measurement: Measurement) -> None:
        """Update a running trial."""
        if number in self._running and measurement.epoch is not None:
            self._running[number].epoch = measurement.epoch + 1
            metric = self._plan.objective.metric if self._plan else ""
            self._running[number].value = measurement.values.get(metric, self._running[number].value)

    def trial_ended(self, result: TrialResult) -> None:
        """Print the line of a trial."""
        self._running.pop(result.number, None)
        self._ended += 1
        if self._plan is None or self._incumbent is None:
            return
        is_best = self._incumbent.learn(result) is not None
        metric = self._plan.objective.metric
        line = trial_line(result, metric=metric, max_epochs=self._plan.max_epochs, is_best=is_best)
        self._console.print(line, no_wrap=True, overflow="ignore", crop=False)

    def study_ended(self, result: StudyResult) -> None:
        """Take the live part away."""
        del result
        self.close()

    def close(self) -> None:
        """Take the live part away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _running_table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for number, running in sorted(self._running.items()):
            value = f"{running.value:.4f}" if running.value is not None else "-"
            epochs = f"{running.epoch}/{self._plan.max_epochs or '?'}" if self._plan else str(running.epoch)
            elapsed = format_duration(time.monotonic() - running.started_s)
            table.add_row(f"trial {number:3d}", "running", f"epoch {epochs}", value, elapsed, running.assignment)
        total = self._plan.budget.trials if self._plan else 0
        leading = self._incumbent.value if self._incumbent is not None else None
        best = f"best {leading:.4f}" if leading is not None else "no value yet"
        table.add_row(
            f"{self._ended}/{total} trials", best, "", "", format_duration(time.monotonic() - self._started_s)
        )
        return table


class _Running:
    """What is known of a running trial."""

    __slots__ = ("assignment", "epoch", "started_s", "value")

    def __init__(self, assignment: str) -> None:
        self.assignment = assignment
        self.epoch = 0
        self.value: float | None = None
        self.started_s = time.monotonic()
