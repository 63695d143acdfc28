"""The driver of a study, without Ray: appends events, folds them, and carries out what follows.

Ray asks for tasks and delivers what came of them. The log is the study: each decision is an event that is on the disk
before it is carried out, and `automl.executor.decide` says what follows from the state. So a crash at any point is
harmless, and a resume is a fold over the log followed by the same decisions.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from automl.executor.budget import spent_end
from automl.executor.clones import start_of
from automl.executor.code_changes import CodeWatch
from automl.executor.decide import (
    Ask,
    Begin,
    Conclude,
    Repeat,
    give_up_paused,
    is_clone_due,
    is_exhausted,
    next_start,
    next_step,
    result_of,
)
from automl.executor.failure_summary import summarize_errors
from automl.executor.gpu_sharing import sharing_of
from automl.executor.recording import measured_event, recorded, started_event
from automl.executor.retention import Retention
from automl.executor.search_state import SearchState
from automl.regular_file import followed
from automl.schedulers.base import CloneRequest
from automl.storage.deletion import delete
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog, named_damage, read_log
from automl.storage.held_study import require_held
from automl.storage.legacy import upgrade_log
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.study_directory import read_results, write_result
from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.study.events import (
    AgreementEstimated,
    EndDecided,
    Event,
    ImprovementEstimated,
    Noticed,
    StopDecided,
    StudyEnded,
    StudySuspended,
    TrialEnded,
    TrialPromoted,
    TrialProposed,
    TrialRetried,
    TrialStarted,
)
from automl.study.packed import packed
from automl.study.state import OPEN, Phase, StudyState, apply
from automl.study.trial import FailureKind, Measurement, TrialState
from automl.tracking.base import TrackerGroup
from automl.trial.attempts import Start, change_after, earlier_measurements, may_continue_after, measured_by
from automl.trial.disk import largest_checkpoint, short_of_room
from automl.trial.failures import Failure
from automl.trial.history import TrialHistory
from automl.trial.outcome import TrialOutcome, failed, stopped
from automl.trial.result import build_result
from automl.trial.stop_request import read_stop_request, request_stop
from automl.trial.task import build_task

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from automl.samplers.optuna_journal import OptunaJournal
    from automl.samplers.searcher import Searcher
    from automl.schedulers.base import Scheduler
    from automl.study.model import StudyLocation, StudyPlan
    from automl.study.result import StudyResult
    from automl.study.state import TrialRecord
    from automl.study.trial import Proposal, TrialResult
    from automl.tracking.base import Tracker
    from automl.trial.task import TrialTask

logger = logging.getLogger(__name__)

_SIGNAL = EndReason(kind=EndKind.SIGNAL)


class StudyLoop:
    """The driver of one study; see `automl.executor.ray.study.execute_study`. Any thread may call every method.

    `next_task`, `measured`, `ended` and `lost` raise LaunchError where the study directory cannot be written.
    """

    def __init__(  # one call site; its parts by name
        self,
        plan: StudyPlan,
        location: StudyLocation,
        *,
        searcher: Searcher,
        scheduler: Scheduler,
        trackers: Sequence[Tracker],
        journal: OptunaJournal | None = None,
    ) -> None:
        self._plan = plan
        self._paths = StudyPaths(location.directory)
        self._log = EventLog(self._paths.events_file)
        self._state = StudyState()
        self._search = SearchState(plan, searcher, scheduler, journal)
        self._trackers = TrackerGroup(trackers)
        self._sharing = sharing_of(plan, location)
        self._retention = Retention(plan, self._paths)
        self._code = CodeWatch(plan)
        self._lock = threading.RLock()
        # Trials that run in this process's workers, with the monotonic time of their start.
        self._running: dict[int, float] = {}
        self._started_s = time.monotonic()
        self._largest_bytes = 0
        self._swept = 0

    @property
    def end(self) -> EndReason | None:
        """Why no further trial is started; None while trials are started."""
        return self._state.end

    @property
    def is_interrupted(self) -> bool:
        """A signal has ended the study; a resume continues it."""
        return self._state.end is not None and self._state.end.kind is EndKind.SIGNAL

    @property
    def is_over(self) -> bool:
        """Tell whether nothing runs and nothing will be started any more."""
        with self._lock:
            is_done = self._state.end is not None or is_exhausted(self._plan, self._state, self._search)
            return not self._running and is_done

    def open(self) -> None:
        """Make the directory, fold what earlier runs recorded, and do what they left undone.

        Raises:
            OSError: the directory cannot be made or read.
            ConfigurationError: a file of the directory cannot be read.
        """
        plan = self._plan
        make_folder(self._paths.trials, below=self._paths.root)
        upgrade_log(self._paths)
        with self._lock:
            with named_damage(self._paths.events_file):
                for entry in read_log(self._paths.events_file, is_strict=True):
                    self._fold(entry.event, entry.time)
            delete(self._paths.stop_file, inside=followed(self._paths.root))
            self._trackers.open(self._paths)
            known = {*self._state.changed_data.values()}
            self._append(started_event(plan, self._paths))
            for text in {*self._state.changed_data.values()} - known:
                logger.warning(text)
            self._catch_up()
            self._settle()
            if self._state.ended:
                self._check_time()
            self._search.searcher.prepare()

    def _catch_up(self) -> None:
        """Record stops that a user asked for and the run before did not see; write what it did not of ended trials."""
        for trial in self._state.in_phase(Phase.WAITING):
            cause = read_stop_request(self._attempt_directory(trial)) if trial.starts else None
            if cause is not None and cause.kind is StopKind.USER:
                self._append(StopDecided(trial=trial.number, cause=cause))
        known = self._state.in_phase(Phase.PAUSED, Phase.ENDED)
        missing = {t.number for t in known if t.result is not None and not self._paths.result_file(t.number).exists()}
        for result in read_results(self._paths) if missing else ():
            if result.number in missing:
                write_result(self._paths, result)
        for trial in self._state.in_phase(Phase.PAUSED):
            self._retention.thin(trial)

    # Appending and folding.

    def _append(self, *events: Event) -> None:
        require_held(self._paths.trials)
        for entry in self._log.append_all(events):
            event = entry.event
            self._fold(event, entry.time)
            self._trackers.record(entry)
            if isinstance(event, StopDecided) and event.trial in self._running:
                try:
                    directory = self._attempt_directory(self._state.trials[event.trial])
                    request_stop(directory, event.cause, study=self._paths.root)
                except OSError as error:
                    logger.warning("trial %d could not be asked to stop: %s", event.trial, error)

    def _fold(self, event: Event, time: datetime) -> None:
        apply(self._state, event, time)
        self._search.apply(event, self._state)
        if isinstance(event, TrialEnded) and event.result.state.is_final:
            # For as long as the study lives, only what decisions rest on: the log has the rest.
            trial = self._state.trials[event.result.number]
            trial.result = replace(event.result, values=packed(event.result.values), curve=(), log_tail=())

    def _settle(self) -> None:
        """Do all that follows from the state, whatever slots are free."""
        while (step := next_step(self._plan, self._state, self._search)) is not None:
            if isinstance(step, Conclude):
                self._conclude(step)
                continue
            self._append(step)
            if isinstance(step, EndDecided):
                logger.info("%s: %s", "the search is over" if step.is_search else "no further trial starts", step.end)

    def _interruptions(self, numbers: Collection[int], end: EndReason) -> list[Event]:
        cause = StopCause(kind=StopKind.INTERRUPTED, end=end)
        return [StopDecided(trial=n, cause=cause) for n in numbers if self._state.trials[n].cause is None]

    # Starting attempts.

    def next_task(self) -> TrialTask | None:
        """Return the next attempt to run, or None when there is none now (see `is_over`).

        Raises:
            ConfigurationError: a file of the directory cannot be read.
        """
        with self._lock, recorded(self._paths.root):
            self._settle()
            is_alone = any(self._state.trials[number].starts[-1].get("is_alone") for number in self._running)
            if self._state.end is not None or is_alone:
                return None
            if (shortage := short_of_room(self._plan, self._paths.root, self._largest_bytes)) is not None:
                logger.warning("no further trial is started: %s", shortage)
                self._append(EndDecided(end=EndReason(kind=EndKind.DISK, detail=shortage)))
                return None
            number = self._next_waiting()
            return None if number is None else self._begin(self._state.trials[number])

    def _next_waiting(self) -> int | None:
        """Return the trial of which an attempt is to start now, proposed if need be; None when there is none."""
        while (start := next_start(self._plan, self._state, self._search)) is not None:
            match start:
                case Begin():
                    return start.trial
                case TrialPromoted():
                    self._append(start)
                case Conclude():
                    self._conclude(start)
                case CloneRequest() | Repeat() | Ask():
                    if not self._propose(start):
                        return None
        return None

    def _propose(self, start: CloneRequest | Repeat | Ask) -> bool:
        """Propose a trial; return whether there is one."""
        searcher = self._search.searcher
        proposal: Proposal | None
        match start:
            case CloneRequest():
                proposal = searcher.clone(start.parent, start.epoch)
            case Repeat():
                proposal = searcher.repeat(start.trial, start.seed)
            case Ask():
                is_ready = searcher.is_ready()
                proposal = searcher.ask() if is_ready else None
                if proposal is None and is_ready and not self._running:
                    end = EndReason(kind=EndKind.SPACE_EXHAUSTED)
                    self._append(EndDecided(end=end, is_search=bool(self._plan.replicates)))
        if proposal is None:
            return False
        self._append(
            TrialProposed(
                trial=proposal.number,
                assignment=proposal.assignment,
                origin=proposal.origin,
                replicate_of=proposal.replicate_of,
                seed=proposal.seed,
            )
        )
        return True

    def _begin(self, trial: TrialRecord) -> TrialTask | None:
        """Start the next attempt of a trial; None where it has to wait, or ends without one."""
        start = start_of(self._plan, self._paths, self._state, trial)
        if start is None or (start.is_alone and self._running):
            return None
        task = build_task(self._plan, self._paths, trial.proposal, start)
        self._record_unread(trial, task)
        self._settle()
        if trial.phase is not Phase.WAITING or self._state.end is not None:
            return None
        if self._sharing.has_devices:
            device = self._sharing.place(trial.number)
            if device is None:
                return None
            task = task.on((device,))
        known = (m for m in trial.measured if m.epoch is not None and m.epoch < start.first_epoch)
        task = replace(task, measured=tuple(known))
        make_folder(task.directory, below=self._paths.trials)  # not what was moved away meanwhile
        document = start.document(self._paths)
        write_document(task.files.start_file, document)
        self._append(
            TrialStarted(
                trial=trial.number,
                attempt=start.attempt,
                origin=str(trial.proposal.origin),
                assignment=trial.proposal.assignment,
                directory=self._paths.relative(task.directory),
                start=document,
                gpus=task.command.gpus,
            )
        )
        self._running[trial.number] = time.monotonic()
        if change := self._code.change():
            self._notice(trial.number, change)
        return task

    def _record_unread(self, trial: TrialRecord, task: TrialTask) -> None:
        """Record what earlier attempts measured and no driver read: their drivers died first."""
        metric, named = self._plan.objective.metric, TrialHistory(task.watch).named
        for measurement in map(named, earlier_measurements(task.start, task.watch)):
            is_known = measurement.epoch is None or trial.has_measured(measurement.epoch, metric)
            if metric in measurement.values and not is_known and trial.phase is Phase.WAITING:
                self._append(measured_event(trial.number, measurement))
                self._settle()

    # What comes back.

    def measured(self, number: int, measurement: Measurement) -> None:
        """Record one measurement of a running trial; the trial or the study may end by it."""
        with self._lock, recorded(self._paths.root):
            if measurement.notice:
                self._notice(number, measurement.notice)
                return
            self._append(measured_event(number, measurement))
            if measurement.epoch is None or self._plan.objective.metric not in measurement.values:
                return
            self._sharing.finished_epoch()
            self._settle()
            if self.is_interrupted and may_continue_after(self._plan, measurement.epoch):
                self._append(*self._interruptions([number], _SIGNAL))

    def _notice(self, number: int, text: str) -> None:
        if text not in self._state.trials[number].notices:
            self._append(Noticed(trial=number, text=text))
            logger.warning("trial %d: %s", number, text)

    def ended(self, result: TrialResult) -> None:
        """Record how an attempt ended; some are followed by another one (see `automl.trial.attempts`)."""
        with self._lock, recorded(self._paths.root):
            if self._running.pop(result.number, None) is None:
                return
            self._sharing.release(result.number)
            self._record_end(result)
            self._settle()

    def _record_end(self, result: TrialResult) -> None:
        trial = self._state.trials[result.number]
        has_ended = self._state.end is not None and not self._state.end.is_cut_off
        change = None if has_ended else change_after(result, self._last_start(trial), trial.losses, self._plan)
        if change is None:
            self._end_trial(result)
            return
        reason = change.remark or f"it is started again ({result.reason})"
        logger.warning("trial %d has failed, %s: %s", result.number, result.failure, reason)
        self._append(
            TrialRetried(
                trial=result.number,
                change=asdict(change),
                failure=str(result.failure),
                reason=result.reason,
                elapsed_s=result.elapsed_s,
            )
        )

    def _end_trial(self, result: TrialResult) -> None:
        trial = self._state.trials[result.number]
        links = self._state.started.links if self._state.started is not None else {}
        result = self._retention.recorded(trial, result, links)
        self._append(TrialEnded(result))
        if trial.phase is Phase.PAUSED:
            self._retention.thin(trial)
        write_result(self._paths, result)
        if trial.phase is not Phase.ENDED:
            return
        if self._plan.budget.min_improvement is not None and not trial.is_replicate:
            self._append(ImprovementEstimated(value=self._search.searcher.expected_improvement()))
        self._estimate_agreement(result.number)
        size = largest_checkpoint(self._paths.root / result.directory, self._plan.skill.architecture.checkpoints)
        self._largest_bytes = max(size, self._largest_bytes)
        if is_clone_due(self._plan, self._state, self._search):
            return  # the checkpoint that it begins with stays; the end of another trial thins this one out
        starts = [self._last_start(self._state.trials[number]).checkpoint for number in self._running]
        ended = [self._state.trials[number].result for number in self._state.ended[self._swept :]]
        self._swept = len(self._state.ended)
        self._retention.sweep(filter(None, ended), [path for path in starts if path is not None])

    def _estimate_agreement(self, number: int) -> None:
        """Record how alike earlier studies are, where the trial has changed it."""
        if not self._plan.earlier or self._state.trials[number].is_replicate:
            return
        found, known = self._search.searcher.agreement(), self._state.agreement
        if found is not None and (known is None or known.studies != found):
            self._append(AgreementEstimated(trial=number, studies=found))

    def lost(self, number: int, reason: str) -> None:
        """Record that whatever ran a trial is gone."""
        with self._lock:
            if number not in self._running:
                return
            trial = self._state.trials[number]
            lost = Failure(kind=FailureKind.INFRASTRUCTURE, cause=reason)
            self.ended(self._result_of(trial, failed(lost) if trial.cause is None else stopped(trial.cause)))

    def _conclude(self, step: Conclude) -> None:
        """End a trial of which nothing runs."""
        trial = self._state.trials[step.trial]
        result = self._result_of(trial, stopped(step.cause))
        if trial.result is not None and trial.phase is Phase.PAUSED:
            # Not all that was measured while it ran is in its events: memory, metrics of a command.
            result = replace(result, values={**trial.result.values, **result.values})
        if trial.cause is None and step.cause.may_continue:
            self._append(StopDecided(trial=trial.number, cause=step.cause))
        self._end_trial(result)

    def _result_of(self, trial: TrialRecord, outcome: TrialOutcome) -> TrialResult:
        """Return the result of a trial whose worker does not report how it ended, from its events."""
        start = self._last_start(trial)
        task = build_task(self._plan, self._paths, trial.proposal, start).on(trial.gpus)
        history = TrialHistory(task.watch)
        history.recall(trial.measured)
        if outcome.cause is not None and outcome.cause.last_epoch is not None:
            history.cut_after(outcome.cause.last_epoch)
        # Its best checkpoint may lie in any of its attempts.
        folders, first_epoch = measured_by(self._paths, trial), (history.last_epoch or 0) + 1
        task = replace(task, start=replace(start, earlier=folders, first_epoch=first_epoch))
        return build_result(task, history, outcome, elapsed_s=self._elapsed_s(trial))

    # The end.

    def check_budget(self) -> None:
        """End the study when its time or GPUs are used up or the user asks for it; to be called every second or so."""
        self._sharing.sample()
        require_held(self._paths.trials)
        with self._lock:
            self._check_time()
            if (asked := read_stop_request(self._paths.root)) is not None:
                self._end_for(EndReason(kind=EndKind.USER, detail=asked.detail))

    def _check_time(self) -> None:
        # Wall time of earlier runs is unknown where they were killed; their slots were busy about so long.
        state = self._state
        elapsed_s = state.ended_before_s / self._plan.resources.jobs + time.monotonic() - self._started_s
        busy_s = state.ended_s + sum(map(self._elapsed_s, state.in_phase(*OPEN)))
        gpu_s = busy_s * self._plan.resources.gpus_per_trial
        self._end_for(spent_end(self._plan.budget, elapsed_s=elapsed_s, gpu_s=gpu_s))

    def _end_for(self, end: EndReason | None) -> None:
        if end is not None and self._state.end is None:
            self._append(EndDecided(end=end))
            logger.info("no further trial is started: %s", end)
            self._settle()

    def interrupt(self, *, at_once: bool = False) -> None:
        """First: start no more trials, end each with the checkpoint of its epoch. Second: end all. A resume goes on.

        Args:
            at_once: The first is the second.
        """
        with self._lock:
            is_first = not self.is_interrupted
            if is_first:
                self._append(EndDecided(end=_SIGNAL))
            if at_once or not is_first:
                self._append(*self._interruptions([*self._running], _SIGNAL))
        if is_first:
            how = "end at once" if at_once else "end with the checkpoint of their epoch; once more ends them at once"
            logger.warning("interrupted: trials %s", how)

    def suspend(self, end: EndReason) -> None:
        """End what runs and record that the study is cut off; a resume continues it."""
        with self._lock:
            # By one write: on a disk that is busy each may take seconds, and the process may be ended meanwhile.
            self._append(*self._interruptions([*self._running], end), StudySuspended(reason=str(end), end=end))

    def leave(self, end: EndReason) -> None:
        """Record that the study is cut off though another thread waits for the disk: the process is about to end."""
        if self._state.last is None:
            self._log.append_unlocked(StudySuspended(reason=str(end), end=end))

    def close(self) -> StudyResult:
        """Return the trials and record that the study is over, unless a resume is to continue it.

        Raises:
            ConfigurationError: the log cannot be read.
        """
        with self._lock, recorded(self._paths.root):
            end = self._state.end
            if end is not None and end.is_cut_off:
                self.suspend(end)
                return self._result(end)
            while (step := give_up_paused(self._state)) is not None:
                self._conclude(step)
            end = end or self._state.search_end or EndReason(kind=EndKind.ALL_ENDED, amount=len(self._state.results))
            result = self._result(end)
            best = result.best
            self._append(
                StudyEnded(
                    trials=len(result.trials),
                    best_trial=best.number if best else None,
                    best_value=best.values[result.objective.metric] if best else None,
                    reason=str(end),
                    is_failure=result.failure is not None,
                    may_go_on=end.may_continue,
                    end=end,
                )
            )
            self._log.close()
            return result

    def _result(self, end: EndReason) -> StudyResult:
        result = result_of(self._plan, (r for r in read_results(self._paths) if r.state is not TrialState.RUNNING))
        failure = None
        if end.kind is EndKind.IDENTICAL_ERRORS:
            last = next(trial for trial in result.trials if trial.number == self._state.ended[-1])
            failure = summarize_errors(str(end), last, self._paths.root)
        return replace(result, failure=failure, end_reason=str(end), may_go_on=end.may_continue)

    def _last_start(self, trial: TrialRecord) -> Start:
        return Start.of_document(trial.starts[-1], self._paths.root) if trial.starts else Start()

    def _attempt_directory(self, trial: TrialRecord) -> Path:
        return self._paths.attempt(trial.number, trial.attempt).root

    def _elapsed_s(self, trial: TrialRecord) -> float:
        since_s = self._running.get(trial.number)
        return trial.elapsed_s if since_s is None else trial.starts[-1]["earlier_s"] + time.monotonic() - since_s
