"""The driver's side of a study, without Ray: what runs next, what is learnt, who is stopped and when it is over.

Ray asks for tasks and delivers what came of them. The order in which an end is written makes a crash at any point
harmless: first the result's file, then the searcher's journal, then the trackers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import AutomlError
from automl.stopping.base import Decision, Report
from automl.study.directory import StudyDirectory
from automl.study.model import Direction
from automl.study.result import StudyResult
from automl.study.trial import FailureKind, TrialResult, TrialState
from automl.tuning.budget import Spent, budget_end, error_end, patience_end, target_end
from automl.tuning.reports import ReportJournal
from automl.tuning.stop_request import request_stop
from automl.tuning.trial_runner import INTERRUPTED
from automl.tuning.trial_tasks import build_task, next_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from automl.search.base import Searcher
    from automl.stopping.base import StoppingRule
    from automl.study.model import StudyLocation, StudyPlan
    from automl.study.trial import Measurement, Proposal
    from automl.track.base import Tracker
    from automl.tuning.trial_task import TrialTask

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""Attempts of one trial that the infrastructure may cost."""


@dataclass(slots=True)
class _Running:
    proposal: Proposal
    task: TrialTask
    since_s: float
    losses: int
    stop_reason: str = ""


class StudyLoop:
    """Decides; every method may be called from any thread.

    Args:
        plan: The study.
        location: Where it lives.
        searcher: Proposes; its open proposals are run first.
        rule: Stops trials early.
        trackers: Learn everything.
    """

    def __init__(
        self,
        plan: StudyPlan,
        location: StudyLocation,
        *,
        searcher: Searcher,
        rule: StoppingRule,
        trackers: Sequence[Tracker],
    ) -> None:
        self._plan = plan
        self._directory = StudyDirectory(location.directory)
        self._searcher = searcher
        self._rule = rule
        self._trackers = tuple(trackers)
        self._reports = ReportJournal(location.directory / "reports.jsonl")
        self._lock = threading.RLock()
        self._running: dict[int, _Running] = {}
        self._waiting: deque[tuple[Proposal, int]] = deque()
        self._finished: list[TrialResult] = []
        self._interrupted: dict[int, TrialResult] = {}
        self._started_s = time.monotonic()
        self._earlier_s = 0.0
        self.end_reason: str | None = None
        """Why no further trial is started; None while trials are started."""
        self.is_interrupted = False

    def open(self) -> None:
        """Make the directory, take up what an earlier run has left, and tell the trackers that the study starts.

        Raises:
            OSError: the directory cannot be made or read.
        """
        self._directory.trials.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._reports.replay(self._rule)
        final = {result.number: result for result in self._directory.read_results() if result.state.is_final}
        self._finished = list(final.values())
        # Nobody knows how long an earlier run took that was killed; its slots were busy about so long.
        self._earlier_s = sum(result.elapsed_s for result in self._finished) / self._plan.resources.jobs
        for proposal in self._searcher.open_proposals():
            if proposal.number in final:  # the crash came between the result's file and the searcher's journal
                self._searcher.tell(final[proposal.number])
            else:
                self._waiting.append((proposal, 0))
        for number in final:
            self._rule.finished(number)
        self._tell(lambda tracker: tracker.study_started(self._plan, self._directory.root))

    def next_task(self) -> TrialTask | None:
        """Return the next attempt to run, or None when there is none now (see `is_over`)."""
        with self._lock:
            if self.end_reason is not None:
                return None
            proposal, losses = self._waiting.popleft() if self._waiting else (self._ask(), 0)
            if proposal is None:
                return None
            attempt = next_attempt(self._directory, proposal.number)
            task = build_task(self._plan, self._directory, proposal, attempt)
            task.directory.mkdir(parents=True, mode=0o700)
            self._running[proposal.number] = _Running(proposal, task, time.monotonic(), losses)
            self._write(_as_running(task, self._directory.root))
        self._tell(lambda tracker: tracker.trial_started(proposal, task.directory, attempt))
        return task

    @property
    def is_over(self) -> bool:
        """Tell whether nothing runs and nothing will be started any more."""
        with self._lock:
            if self._running:
                return False
            return self.end_reason is not None or not (self._waiting or self._has_proposals())

    def measured(self, number: int, measurement: Measurement) -> None:
        """Learn one measurement of a running trial and stop the trial if the rule or the budget says so."""
        self._tell(lambda tracker: tracker.measured(number, measurement))
        value = measurement.values.get(self._plan.objective.metric)
        if measurement.epoch is None or value is None:
            return
        with self._lock:
            self._searcher.observe(number, measurement.epoch, value)
            sign = 1.0 if self._plan.objective.direction is Direction.MAXIMIZE else -1.0
            report = Report(trial=number, epoch=measurement.epoch, value=sign * value)
            verdict = self._rule.judge(report)
            self._reports.append(report, verdict)
            if verdict.decision is Decision.STOP:
                self._stop(number, verdict.reason)
            self._end_for(target_end(self._plan.budget, self._plan.objective, value))

    def ended(self, result: TrialResult) -> None:
        """Learn how an attempt ended; one that the infrastructure ended is tried again."""
        with self._lock:
            running = self._running.pop(result.number, None)
            if running is None:
                return
            if result.failure is FailureKind.INFRASTRUCTURE and self._retry(running, result.reason):
                return
            if result.state.is_final:
                self._finish(result)
            else:
                self._interrupted[result.number] = result
                self._write(result)
        self._tell(lambda tracker: tracker.trial_ended(result))

    def lost(self, number: int, reason: str) -> None:
        """Learn that whatever ran a trial is gone."""
        with self._lock:
            running = self._running.get(number)
            if running is None:
                return
            is_stopping = running.stop_reason.startswith(INTERRUPTED)
            task = running.task
            result = TrialResult(
                number=number,
                state=TrialState.INTERRUPTED if is_stopping else TrialState.FAILED,
                failure=None if is_stopping else FailureKind.INFRASTRUCTURE,
                assignment=running.proposal.assignment,
                directory=task.directory.relative_to(self._directory.root).as_posix(),
                reason=running.stop_reason if is_stopping else reason,
                elapsed_s=time.monotonic() - running.since_s,
                attempt=task.attempt,
            )
        self.ended(result)

    def check_budget(self) -> None:
        """Stop the study when its time or its GPUs are used up; to be called every second or so."""
        with self._lock:
            now_s = time.monotonic()
            used_s = sum(result.elapsed_s for result in self._finished)
            used_s += sum(now_s - running.since_s for running in self._running.values())
            gpu_s = used_s * self._plan.resources.gpus_per_trial
            elapsed_s = self._earlier_s + now_s - self._started_s
            self._end_for(budget_end(self._plan.budget, Spent(elapsed_s=elapsed_s, gpu_s=gpu_s)))

    def interrupt(self) -> None:
        """The first time: start no more trials. The second time: end the running ones; a resume continues them."""
        with self._lock:
            if not self.is_interrupted:
                self.is_interrupted = True
                self.end_reason = self.end_reason or "interrupted"
                return
            for number in self._running:
                self._stop(number, f"{INTERRUPTED} by the user")

    def close(self) -> StudyResult:
        """Return the trials and tell the trackers that the study is over (not if it was interrupted: it goes on)."""
        with self._lock:
            trials = sorted([*self._finished, *self._interrupted.values()], key=lambda result: result.number)
            result = StudyResult(objective=self._plan.objective, trials=tuple(trials))
        if not self.is_interrupted:
            self._tell(lambda tracker: tracker.study_ended(result))
        return result

    def _has_proposals(self) -> bool:
        started = len(self._finished) + len(self._interrupted) + len(self._running) + len(self._waiting)
        return started < self._plan.budget.trials

    def _ask(self) -> Proposal | None:
        if not self._has_proposals():
            return None
        proposal = self._searcher.ask()
        if proposal is None and not self._running:
            self.end_reason = "the search space is exhausted"
        return proposal

    def _retry(self, running: _Running, reason: str) -> bool:
        losses = running.losses + 1
        if losses >= MAX_ATTEMPTS or self.end_reason is not None:
            return False
        logger.warning("trial %d was lost (%s); it is started again", running.proposal.number, reason)
        self._waiting.appendleft((running.proposal, losses))
        return True

    def _finish(self, result: TrialResult) -> None:
        self._write(result)
        self._searcher.tell(result)
        self._rule.finished(result.number)
        self._finished.append(result)
        self._end_for(patience_end(self._plan.budget, self._plan.objective, self._finished))
        self._end_for(error_end(self._finished))

    def _write(self, result: TrialResult) -> None:
        try:
            self._directory.write_result(result)
        except OSError as error:
            logger.warning("the result of trial %d could not be written: %s", result.number, error)

    def _end_for(self, reason: str | None) -> None:
        if reason is None or self.end_reason is not None:
            return
        logger.info("no further trial is started: %s", reason)
        self.end_reason = reason
        for number in self._running:
            self._stop(number, reason)

    def _stop(self, number: int, reason: str) -> None:
        running = self._running.get(number)
        if running is None or running.stop_reason.startswith(INTERRUPTED):
            return
        running.stop_reason = reason
        try:
            request_stop(running.task.directory, reason)
        except OSError as error:
            logger.warning("trial %d could not be asked to stop: %s", number, error)

    def _tell(self, call: Callable[[Tracker], None]) -> None:
        for tracker in self._trackers:
            try:
                call(tracker)
            except (AutomlError, OSError, ValueError, TypeError, KeyError, RuntimeError):
                logger.exception("%s lost an event; the study goes on", type(tracker).__name__)


def _as_running(task: TrialTask, root: Path) -> TrialResult:
    """Return what `automl status` shows of a trial until it ends."""
    return TrialResult(
        number=task.number,
        state=TrialState.RUNNING,
        assignment=task.assignment,
        directory=task.directory.relative_to(root).as_posix(),
        attempt=task.attempt,
    )
