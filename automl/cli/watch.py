"""What `automl status --watch` shows: a study that runs in another shell, from its files, in 80 columns or more."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from automl import clock
from automl.cli.render import (
    STYLES,
    VisibleConsole,
    count_states,
    earlier_rows,
    format_assignment,
    format_measure,
    key_values,
)
from automl.duration import format_duration
from automl.errors import counted
from automl.readers.growing_file import GrowingFile
from automl.shown_command import shown_command
from automl.storage.event_log import named_damage, read_log
from automl.storage.final_status import outcome_of
from automl.storage.legacy import is_legacy
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_state, read_study, study_of_plan
from automl.study.events import StudyEnded
from automl.study.replicates import counts_of
from automl.study.replication import most_replicates
from automl.study.state import Phase, StudyState, apply
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console, RenderableType

    from automl.study.result import StudyResult

_REFRESH_S = 0.5
_ROWS_OF_HEAD = 8
_FEWEST_ROWS = 5
_SHOWN_NOTICES = 2


class Estimate(NamedTuple):
    """When a study may be over."""

    seconds: float | None
    """From now; None where nothing is known yet."""
    basis: str
    """What it rests on, as a sentence."""


class Watched:
    """A study directory that is read again and again; another folder is a `ConfigurationError`."""

    def __init__(self, root: Path) -> None:
        self._paths = StudyPaths(root)
        self.name = root.name
        self._position = 0
        self.plan = read_plan(self._paths)
        self.state = StudyState()
        if is_legacy(self._paths):  # it has ended, and grows no more in this form
            self.state, self._position = read_state(self._paths), self._paths.events_file.stat().st_size
        self.refresh()

    def refresh(self) -> None:
        """Fold what is new; a damaged log is a `ConfigurationError`."""
        file = self._paths.events_file
        with named_damage(file):
            for entry in read_log(file, self._position, is_strict=True):
                apply(self.state, entry.event, entry.time)
                self._position = entry.end

    @property
    def result(self) -> StudyResult:
        """The trials so far."""
        return replace(study_of_plan(self.plan), trials=self.state.results)

    @property
    def is_running(self) -> bool:
        """Tell whether a living process runs the study."""
        return running_process(self._paths) is not None

    @property
    def is_over(self) -> bool:
        """The study came to its end; the best may still be handed over."""
        return isinstance(self.state.last, StudyEnded)

    def until_over(self) -> Iterator[None]:
        """Refresh until the study ends or nobody runs it any more, the last time after that."""
        while True:
            is_running = self.is_running
            self.refresh()
            yield
            if not is_running:
                return
            time.sleep(_REFRESH_S)

    def summary(self) -> str:
        """Return what the study does, as text."""
        process = running_process(self._paths)
        if process is not None:
            what = "ended, the best is being handed over" if self.is_over else "running"
            return f"{what} (process {process})"
        self.refresh()  # it may have ended since
        if self.state.started is None:
            return "not started"
        outcome = outcome_of(self._paths, self.state, has_best=self.result.best is not None)
        is_open = outcome.state == "interrupted"
        resume = shown_command("resume", self._paths.root)
        return f"{outcome}; {resume} continues it" if is_open else str(outcome)


def watch(root: Path, console: Console | None = None) -> None:
    """Show a study until it ends or nobody runs it any more; where no terminal is, once for each trial that ends."""
    watched = Watched(root)
    console = console or VisibleConsole(sys.stdout)
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            for _ in watched.until_over():
                live.update(view(watched, console.height), refresh=True)
        return
    shown = -1
    for _ in watched.until_over():
        ended = sum(trial.state.is_final for trial in watched.result.trials)
        if ended != shown:
            console.print(view(watched, height=_ROWS_OF_HEAD + len(watched.result.trials)))
            shown = ended


def stream_events(root: Path) -> None:
    """Write the events of a study to stdout as they come, one JSON line each, until nobody runs it any more."""
    read_study(root)
    directory = StudyPaths(root)
    events = GrowingFile(directory.events_file)
    while True:
        is_running = running_process(directory) is not None
        lines = events.read()
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if not is_running and not lines:
            return
        if not lines:
            time.sleep(_REFRESH_S)


def view(watched: Watched, height: int = 24) -> RenderableType:
    """Return everything at one moment, cut to the height of a terminal."""
    rows = max(_FEWEST_ROWS, height - _ROWS_OF_HEAD)
    return Group(key_values(_head(watched)), Text(), _trials(watched, rows))


def estimate(state: StudyState, planned: int, time_s: float | None, now: datetime) -> Estimate:
    """Estimate when a study is over.

    Args:
        state: Where it stands.
        planned: Trials of the whole study, replicates included.
        time_s: The study's time limit.
        now: The time, with its zone.
    """
    known = []
    if time_s is not None and state.started_at is not None:
        left_s = time_s - clock.seconds_since(state.started_at, now)
        known.append(Estimate(max(0.0, left_s), f"time limit {format_duration(time_s)}"))
    ended = state.finished
    if ended and state.started is not None:
        left, jobs = planned - len(ended), state.started.jobs
        mean_s = sum(trial.elapsed_s for trial in ended) / len(ended)
        since = [trial.since for trial in state.in_phase(Phase.RUNNING) if trial.since is not None]
        done_s = sum(min(mean_s, clock.seconds_since(start, now)) for start in since)
        basis = f"{left} to go, {format_duration(mean_s)} each so far, {counted(jobs, 'slot')}"
        known.append(Estimate(max(0.0, left * mean_s - done_s) / jobs, basis))
    return min(known, key=lambda found: found.seconds or 0.0, default=Estimate(None, "no trial has ended yet"))


def _head(watched: Watched) -> Iterator[tuple[str, object]]:
    result, state, plan = watched.result, watched.state, watched.plan
    ended = counts_of([trial for trial in result.trials if trial.state.is_final], plan.budget.trials)
    planned = plan.budget.trials + most_replicates(plan)
    yield "study", f"{watched.name}, {watched.summary()}"
    yield "trials", f"{ended} ended: {count_states(result.trials)}"
    best, metric = result.best, result.objective.metric
    found = "none yet"
    if best is not None:
        found = ", ".join(
            filter(None, (f"trial {best.number}", f"{metric} {format_measure(best.values[metric])}", best.best_at))
        )
    yield "best", found
    yield from earlier_rows(plan.earlier, None if state.agreement is None else state.agreement.studies)
    yield from (("notice", text) for text in state.notices[-_SHOWN_NOTICES:])
    if watched.is_running and state.started is not None and state.started_at is not None and not watched.is_over:
        busy = f"{len(state.in_phase(Phase.RUNNING))} of {state.started.jobs} busy"
        yield "slots", f"{busy}, since {format_duration(clock.seconds_since(state.started_at))}"
        left = estimate(state, planned, plan.budget.time_s, clock.now())
        when = "unknown" if left.seconds is None else f"about {format_duration(left.seconds)}"
        yield "ETA", f"{when} ({left.basis})"


def _trials(watched: Watched, rows: int) -> Table:
    """Return the running trials, then the ended ones, the latest first."""
    result, metric = watched.result, watched.result.objective.metric
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name in ("trial", "state", "epoch", metric, "time"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    table.add_column("values, or reason", no_wrap=True, overflow="ellipsis", ratio=1)
    running = watched.state.in_phase(Phase.RUNNING)
    for trial in running:
        max_epochs = trial.max_epochs or (watched.state.started.max_epochs if watched.state.started else None)
        epochs = f"{trial.epochs} of {max_epochs}" if max_epochs else str(trial.epochs)
        elapsed = format_duration(clock.seconds_since(trial.since) if trial.since else 0.0)
        last = trial.last_value(metric)
        value = "-" if last is None else format_measure(last)
        state = Text("running" if watched.is_running else "lost", style=STYLES[TrialState.RUNNING])
        table.add_row(str(trial.number), state, epochs, value, elapsed, format_assignment(trial.proposal.assignment))
    ended = sorted((t for t in result.trials if t.state is not TrialState.RUNNING), key=lambda t: -t.number)
    for done in ended[: max(0, rows - len(running))]:
        mark = "*" if result.best is not None and done.number == result.best.number else ""
        value = f"{format_measure(done.values[metric])}{mark}" if metric in done.values else "-"
        state = Text(done.state.value.lower(), style=STYLES.get(done.state, ""))
        words = format_assignment(done.assignment) if done.state is TrialState.COMPLETED else done.reason
        table.add_row(str(done.number), state, str(done.epochs), value, format_duration(done.elapsed_s), words)
    return table
