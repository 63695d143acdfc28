"""The driver of a study, without Ray: appends events, folds them, and carries out what follows.

Ray asks for tasks and delivers what came of them. The log is the study: each decision is an event that is on the disk
before it is carried out, and `automl.executor.decide` says what follows from the state. So a crash at any point is
harmless, and a resume is a fold over the log followed by the same decisions.
"""

from __future__ import annotations

import logging
import secrets
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
    is_exhausted,
    next_start,
    result_of,
)
from automl.executor.failure_summary import summarize_errors
from automl.executor.gpu_sharing import sharing_of
from automl.executor.recording import measured_event, recorded
from automl.executor.running_study import RunningStudy
from automl.executor.search_state import SearchState
from automl.schedulers.base import CloneRequest
from automl.storage.held_study import require_held
from automl.storage.own_attempts import require_new_attempt
from automl.storage.own_documents import write_own
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.study_directory import read_results
from automl.study.ends import EndKind, EndReason
from automl.study.events import (
    EndDecided,
    StudyEnded,
    StudySuspended,
    TrialPromoted,
    TrialProposed,
    TrialRetried,
    TrialStarted,
)
from automl.study.state import OPEN, Phase
from automl.study.trial import FailureKind, Measurement, TrialState
from automl.tracking.base import TrackerGroup
from automl.trial.attempts import change_after, earlier_measurements, may_continue_after
from automl.trial.disk import short_of_room
from automl.trial.failures import Failure
from automl.trial.history import TrialHistory
from automl.trial.outcome import failed, stopped
from automl.trial.stop_request import read_stop_request
from automl.trial.task import build_task

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        self._search = SearchState(plan, searcher, scheduler, journal)
        self._study = RunningStudy(plan, self._paths, self._search, TrackerGroup(trackers))
        self._state, self._running = self._study.state, self._study.running
        self._sharing = sharing_of(plan, location)
        self._code = CodeWatch(plan)
        self._lock = threading.RLock()
        self._started_s = time.monotonic()

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
        with self._lock:
            self._study.begin()
            if self._state.ended:
                self._check_time()
            self._search.searcher.prepare()

    # Starting attempts.

    def next_task(self) -> TrialTask | None:
        """Return the next attempt to run, or None when there is none now (see `is_over`).

        Raises:
            ConfigurationError: a file of the directory cannot be read.
        """
        with self._lock, recorded(self._paths.root):
            self._study.settle()
            is_alone = any(self._state.trials[number].starts[-1].get("is_alone") for number in self._running)
            if self._state.end is not None or is_alone:
                return None
            if (shortage := short_of_room(self._plan, self._paths.root, self._study.largest_bytes)) is not None:
                logger.warning("no further trial is started: %s", shortage)
                self._study.append(EndDecided(end=EndReason(kind=EndKind.DISK, detail=shortage)))
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
                    self._study.append(start)
                case Conclude():
                    self._study.conclude(start)
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
                    self._study.append(EndDecided(end=end, is_search=bool(self._plan.replicates)))
        if proposal is None:
            return False
        self._study.append(
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
        start = replace(start, token=secrets.token_hex(8))
        task = build_task(self._plan, self._paths, trial.proposal, start)
        self._record_unread(trial, task)
        self._study.settle()
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
        tokens = (begun.get("token", "") for trial in self._state.trials for begun in trial.starts)
        require_new_attempt(self._paths, task.files, tokens)
        write_own(self._paths, task.files.start_file, document)
        self._study.append(
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
            self._study.notice(trial.number, change)
        return task

    def _record_unread(self, trial: TrialRecord, task: TrialTask) -> None:
        """Record what earlier attempts measured and no driver read: their drivers died first."""
        metric, named = self._plan.objective.metric, TrialHistory(task.watch).named
        for measurement in map(named, earlier_measurements(task.start, task.watch)):
            is_known = measurement.epoch is None or trial.has_measured(measurement.epoch, metric)
            if metric in measurement.values and not is_known and trial.phase is Phase.WAITING:
                self._study.append(measured_event(trial.number, measurement))
                self._study.settle()

    # What comes back.

    def measured(self, number: int, measurement: Measurement) -> None:
        """Record one measurement of a running trial; the trial or the study may end by it."""
        with self._lock, recorded(self._paths.root):
            if measurement.notice:
                self._study.notice(number, measurement.notice)
                return
            self._study.append(measured_event(number, measurement))
            if measurement.epoch is None or self._plan.objective.metric not in measurement.values:
                return
            self._sharing.finished_epoch()
            self._study.settle()
            if self.is_interrupted and may_continue_after(self._plan, measurement.epoch):
                self._study.append(*self._study.interruptions([number], _SIGNAL))

    def ended(self, result: TrialResult) -> None:
        """Record how an attempt ended; some are followed by another one (see `automl.trial.attempts`)."""
        with self._lock, recorded(self._paths.root):
            if self._running.pop(result.number, None) is None:
                return
            self._sharing.release(result.number)
            self._record_end(result)
            self._study.settle()

    def _record_end(self, result: TrialResult) -> None:
        trial = self._state.trials[result.number]
        has_ended = self._state.end is not None and not self._state.end.is_cut_off
        change = None if has_ended else change_after(result, self._study.last_start(trial), trial.losses, self._plan)
        if change is None:
            self._study.end_trial(result)
            return
        reason = change.remark or f"it is started again ({result.reason})"
        logger.warning("trial %d has failed, %s: %s", result.number, result.failure, reason)
        self._study.append(
            TrialRetried(
                trial=result.number,
                change=asdict(change),
                failure=str(result.failure),
                reason=result.reason,
                elapsed_s=result.elapsed_s,
            )
        )

    def lost(self, number: int, reason: str) -> None:
        """Record that whatever ran a trial is gone."""
        with self._lock:
            if number not in self._running:
                return
            trial = self._state.trials[number]
            lost = Failure(kind=FailureKind.INFRASTRUCTURE, cause=reason)
            self.ended(self._study.result_of(trial, failed(lost) if trial.cause is None else stopped(trial.cause)))

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
        busy_s = state.ended_s + sum(map(self._study.elapsed_s, state.in_phase(*OPEN)))
        gpu_s = busy_s * self._plan.resources.gpus_per_trial
        self._end_for(spent_end(self._plan.budget, elapsed_s=elapsed_s, gpu_s=gpu_s))

    def _end_for(self, end: EndReason | None) -> None:
        if end is not None and self._state.end is None:
            self._study.append(EndDecided(end=end))
            logger.info("no further trial is started: %s", end)
            self._study.settle()

    def interrupt(self, *, at_once: bool = False) -> None:
        """First: start no more trials, end each with the checkpoint of its epoch. Second: end all. A resume goes on.

        Args:
            at_once: The first is the second.
        """
        with self._lock:
            is_first = not self.is_interrupted
            if is_first:
                self._study.append(EndDecided(end=_SIGNAL))
            if at_once or not is_first:
                self._study.append(*self._study.interruptions([*self._running], _SIGNAL))
        if is_first:
            how = "end at once" if at_once else "end with the checkpoint of their epoch; once more ends them at once"
            logger.warning("interrupted: trials %s", how)

    def suspend(self, end: EndReason) -> None:
        """End what runs and record that the study is cut off; a resume continues it."""
        with self._lock:
            # By one write: on a disk that is busy each may take seconds, and the process may be ended meanwhile.
            self._study.append(
                *self._study.interruptions([*self._running], end), StudySuspended(reason=str(end), end=end)
            )

    def leave(self, end: EndReason) -> None:
        """Record that the study is cut off though another thread waits for the disk: the process is about to end."""
        if self._state.last is None:
            self._study.log.append_unlocked(StudySuspended(reason=str(end), end=end))

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
                self._study.conclude(step)
            end = end or self._state.search_end or EndReason(kind=EndKind.ALL_ENDED, amount=len(self._state.results))
            result = self._result(end)
            best = result.best
            self._study.append(
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
            self._study.log.close()
            return result

    def _result(self, end: EndReason) -> StudyResult:
        result = result_of(self._plan, (r for r in read_results(self._paths) if r.state is not TrialState.RUNNING))
        failure = None
        if end.kind is EndKind.IDENTICAL_ERRORS:
            last = next(trial for trial in result.trials if trial.number == self._state.ended[-1])
            failure = summarize_errors(str(end), last, self._paths.root)
        return replace(result, failure=failure, end_reason=str(end), may_go_on=end.may_continue)
