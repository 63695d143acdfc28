"""A study while this process runs it: its log, the state that is the fold over it, and what follows from that.

Each decision is an event that is on the disk before it is carried out. What needs no free slot is carried out here;
what starts an attempt, and what comes back from one, is in `automl.executor.loop`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.decide import (
    Conclude,
    is_clone_due,
    next_step,
)
from automl.executor.recording import started_event
from automl.executor.retention import Retention
from automl.regular_file import followed
from automl.storage.deletion import delete
from automl.storage.event_log import EventLog, named_damage, read_log
from automl.storage.held_study import require_held
from automl.storage.legacy import upgrade_log
from automl.storage.own_attempts import require_own_attempt
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.study_directory import read_results, write_result
from automl.study.ends import EndReason, StopCause, StopKind
from automl.study.events import (
    AgreementEstimated,
    EndDecided,
    Event,
    ImprovementEstimated,
    Noticed,
    StopDecided,
    TrialEnded,
)
from automl.study.packed import packed
from automl.study.state import Phase, StudyState, apply
from automl.trial.attempts import Start, measured_by
from automl.trial.disk import largest_checkpoint
from automl.trial.history import TrialHistory
from automl.trial.outcome import TrialOutcome, stopped
from automl.trial.result import build_result
from automl.trial.stop_request import read_stop_request, request_stop
from automl.trial.task import build_task

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from automl.executor.search_state import SearchState
    from automl.study.model import StudyPlan
    from automl.study.state import TrialRecord
    from automl.study.trial import TrialResult
    from automl.tracking.base import Tracker

logger = logging.getLogger(__name__)


class RunningStudy:
    """Appends to the log of a study and folds it. One thread at a time calls its methods.

    Args:
        plan: What to run.
        paths: Of the study.
        search: What scheduler and sampler make of the events.
        trackers: They get every event.

    Attributes:
        state: The fold over the log.
        log: The log itself.
        running: Trials that run in workers of this process -> monotonic time of their start.
        largest_bytes: Size of the largest checkpoint that was seen.
    """

    def __init__(self, plan: StudyPlan, paths: StudyPaths, search: SearchState, trackers: Tracker) -> None:
        self.plan, self.paths, self.search = plan, paths, search
        self.state = StudyState()
        self.log = EventLog(paths.events_file)
        self.running: dict[int, float] = {}
        self.largest_bytes = 0
        self._trackers = trackers
        self._retention = Retention(plan, paths)
        self._swept = 0

    def begin(self) -> None:
        """Make the directory, fold what earlier runs recorded, and do what they left undone.

        Raises:
            OSError: the directory cannot be made or read.
            ConfigurationError: a file of the directory cannot be read.
        """
        make_folder(self.paths.trials, below=self.paths.root)
        upgrade_log(self.paths)
        with named_damage(self.paths.events_file):
            for entry in read_log(self.paths.events_file, is_strict=True):
                self._fold(entry.event, entry.time)
        delete(self.paths.stop_file, inside=followed(self.paths.root))
        self._trackers.open(self.paths)
        known = {*self.state.changed_data.values()}
        self.append(started_event(self.plan, self.paths))
        for text in {*self.state.changed_data.values()} - known:
            logger.warning(text)
        self._catch_up()
        self.settle()

    def _catch_up(self) -> None:
        """Record stops that a user asked for and the run before did not see; write what it did not of ended trials."""
        for trial in self.state.in_phase(Phase.WAITING):
            cause = read_stop_request(self.attempt_directory(trial)) if trial.starts else None
            if cause is not None and cause.kind is StopKind.USER:
                self.append(StopDecided(trial=trial.number, cause=cause))
        known = self.state.in_phase(Phase.PAUSED, Phase.ENDED)
        missing = {t.number for t in known if t.result is not None and not self.paths.result_file(t.number).exists()}
        for result in read_results(self.paths) if missing else ():
            if result.number in missing:
                write_result(self.paths, result)
        for trial in self.state.in_phase(Phase.PAUSED):
            self._retention.thin(trial)

    def append(self, *events: Event) -> None:
        """Write events, fold them, and tell the trackers and the trials that are to stop.

        Raises:
            OSError: the log cannot be written, or the study was moved, deleted or replaced.
        """
        require_held(self.paths.trials)
        for entry in self.log.append_all(events):
            event = entry.event
            self._fold(event, entry.time)
            self._trackers.record(entry)
            if isinstance(event, StopDecided) and event.trial in self.running:
                try:
                    directory = self.attempt_directory(self.state.trials[event.trial])
                    request_stop(directory, event.cause, study=self.paths.root)
                except OSError as error:
                    logger.warning("trial %d could not be asked to stop: %s", event.trial, error)

    def _fold(self, event: Event, time: datetime) -> None:
        apply(self.state, event, time)
        self.search.apply(event, self.state)
        if isinstance(event, TrialEnded) and event.result.state.is_final:
            # For as long as the study lives, only what decisions rest on: the log has the rest.
            trial = self.state.trials[event.result.number]
            trial.result = replace(event.result, values=packed(event.result.values), curve=(), log_tail=())

    def settle(self) -> None:
        """Do all that follows from the state, whatever slots are free."""
        while (step := next_step(self.plan, self.state, self.search)) is not None:
            if isinstance(step, Conclude):
                self.conclude(step)
                continue
            self.append(step)
            if isinstance(step, EndDecided):
                logger.info("%s: %s", "the search is over" if step.is_search else "no further trial starts", step.end)

    def conclude(self, step: Conclude) -> None:
        """End a trial of which nothing runs."""
        trial = self.state.trials[step.trial]
        result = self.result_of(trial, stopped(step.cause))
        if trial.result is not None and trial.phase is Phase.PAUSED:
            # Not all that was measured while it ran is in its events: memory, metrics of a command.
            result = replace(result, values={**trial.result.values, **result.values})
        if trial.cause is None and step.cause.may_continue:
            self.append(StopDecided(trial=trial.number, cause=step.cause))
        self.end_trial(result)

    def end_trial(self, result: TrialResult) -> None:
        """Record how a trial ended, and do what follows: estimates, and room for the checkpoints of others."""
        trial = self.state.trials[result.number]
        for start in trial.starts:
            require_own_attempt(self.paths.attempt(trial.number, start["attempt"]), start.get("token", ""))
        links = self.state.started.links if self.state.started is not None else {}
        result = self._retention.recorded(trial, result, links)
        self.append(TrialEnded(result))
        if trial.phase is Phase.PAUSED:
            self._retention.thin(trial)
        self._write_result(result)
        if trial.phase is not Phase.ENDED:
            return
        if self.plan.budget.min_improvement is not None and not trial.is_replicate:
            self.append(ImprovementEstimated(value=self.search.searcher.expected_improvement()))
        self._estimate_agreement(result.number)
        size = largest_checkpoint(self.paths.root / result.directory, self.plan.skill.architecture.checkpoints)
        self.largest_bytes = max(size, self.largest_bytes)
        if is_clone_due(self.plan, self.state, self.search):
            return  # the checkpoint that it begins with stays; the end of another trial thins this one out
        starts = [self.last_start(self.state.trials[number]).checkpoint for number in self.running]
        ended = [self.state.trials[number].result for number in self.state.ended[self._swept :]]
        self._swept = len(self.state.ended)
        self._retention.sweep(filter(None, ended), [path for path in starts if path is not None])

    def _write_result(self, result: TrialResult) -> None:
        for text in write_result(self.paths, result):
            self.notice(result.number, text)

    def notice(self, number: int, text: str) -> None:
        """Record what was refused or left out of what a trainer wrote, once."""
        if text not in self.state.trials[number].notices:
            self.append(Noticed(trial=number, text=text))
            logger.warning("trial %d: %s", number, text)

    def _estimate_agreement(self, number: int) -> None:
        """Record how alike earlier studies are, where the trial has changed it."""
        if not self.plan.earlier or self.state.trials[number].is_replicate:
            return
        found, known = self.search.searcher.agreement(), self.state.agreement
        if found is not None and (known is None or known.studies != found):
            self.append(AgreementEstimated(trial=number, studies=found))

    def result_of(self, trial: TrialRecord, outcome: TrialOutcome) -> TrialResult:
        """Return the result of a trial whose worker does not report how it ended, from its events."""
        start = self.last_start(trial)
        task = build_task(self.plan, self.paths, trial.proposal, start).on(trial.gpus)
        history = TrialHistory(task.watch)
        history.recall(trial.measured)
        if outcome.cause is not None and outcome.cause.last_epoch is not None:
            history.cut_after(outcome.cause.last_epoch)
        # Its best checkpoint may lie in any of its attempts.
        folders, first_epoch = measured_by(self.paths, trial), (history.last_epoch or 0) + 1
        task = replace(task, start=replace(start, earlier=folders, first_epoch=first_epoch))
        return build_result(task, history, outcome, elapsed_s=self.elapsed_s(trial))

    def interruptions(self, numbers: Collection[int], end: EndReason) -> list[Event]:
        """Return the events by which trials that are not to stop already are interrupted."""
        cause = StopCause(kind=StopKind.INTERRUPTED, end=end)
        return [StopDecided(trial=n, cause=cause) for n in numbers if self.state.trials[n].cause is None]

    def last_start(self, trial: TrialRecord) -> Start:
        """Return how the last attempt of a trial was started."""
        return Start.of_document(trial.starts[-1], self.paths.root) if trial.starts else Start()

    def attempt_directory(self, trial: TrialRecord) -> Path:
        """Return the directory of the last attempt of a trial."""
        return self.paths.attempt(trial.number, trial.attempt).root

    def elapsed_s(self, trial: TrialRecord) -> float:
        """Return how long a trial has run, all its attempts together."""
        since_s = self.running.get(trial.number)
        return trial.elapsed_s if since_s is None else trial.starts[-1]["earlier_s"] + time.monotonic() - since_s
