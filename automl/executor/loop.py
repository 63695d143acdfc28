"""The driver's side of a study, without Ray: what runs next, what is learnt, who is stopped and when it is over.

Ray asks for tasks and delivers what came of them. The order in which an end is written makes a crash at any point
harmless: first the result's file, then the searcher's journal, then the trackers.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.attempt_states import Paused, Running, Waiting, as_running
from automl.executor.budget import Spent, budget_end, end_so_far, error_end, goal_end, target_end
from automl.executor.clones import copy_of, start_of, was_copied
from automl.executor.failure_summary import summarize_errors
from automl.executor.gpu_sharing import sharing_of
from automl.executor.improvement_watch import ImprovementRule
from automl.executor.recovery import asked_to_stop, conclude, lost_result, recorded
from automl.executor.reports import ReportJournal, StopDecision
from automl.executor.retention import Retention
from automl.executor.supply import Standing, Supply
from automl.schedulers.base import Decision, Report
from automl.storage.final_status import read_end
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results, write_result
from automl.study.model import Direction
from automl.study.trial import FailureKind, TrialResult
from automl.tracking.file_tracker import FileTracker
from automl.trial.attempts import goes_on_after, write_start
from automl.trial.disk import largest_checkpoint, short_of_room
from automl.trial.outcome import INTERRUPTED, PAUSED
from automl.trial.retries import change_after
from automl.trial.runner import recalled_curve
from automl.trial.stop_request import forget_stop_request, read_stop_request
from automl.trial.tasks import build_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.samplers.base import Searcher
    from automl.schedulers.base import Scheduler
    from automl.study.model import StudyLocation, StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal
    from automl.tracking.base import Tracker
    from automl.trial.task import TrialTask

logger = logging.getLogger(__name__)

_CUT_OFF = "Ctrl-C or SIGTERM"


class StudyLoop:
    """Decides; every method may be called from any thread.

    Args:
        plan: The study.
        location: Where it lives.
        searcher: Proposes; its open proposals are run first.
        rule: Stops trials early.
        trackers: Get every entry of the event log.
    """

    def __init__(
        self,
        plan: StudyPlan,
        location: StudyLocation,
        *,
        searcher: Searcher,
        rule: Scheduler,
        trackers: Sequence[Tracker],
    ) -> None:
        self._plan = plan
        self._directory = StudyPaths(location.directory)
        self._searcher = searcher
        self._rule = rule
        self._audience = FileTracker(self._directory, trackers)
        self._reports = ReportJournal(self._directory.reports_file)
        self._standing = Standing(waiting=deque())
        self._supply = Supply(plan, self._standing, searcher=searcher, rule=rule, reports=self._reports)
        self._lock = threading.RLock()
        self._failed_here: list[TrialResult] = []
        self._started_s = time.monotonic()
        self._earlier_s = 0.0
        self._failure: str | None = None
        self._largest_bytes = 0
        self._sharing = sharing_of(plan, location)
        self._retention = Retention(plan, self._directory)
        self._improvement = ImprovementRule(plan, searcher)
        self._sign = 1.0 if plan.objective.direction is Direction.MAXIMIZE else -1.0
        self._may_go_on = False
        self.end_reason: str | None = None
        """Why no further trial is started; None while trials are started."""
        self.is_interrupted = False
        self.shortage: str | None = None
        """Why no room is left for a further trial; a resume goes on once there is."""

    def open(self) -> None:
        """Make the directory, take up what an earlier run has left, and tell the trackers that the study starts.

        Raises:
            OSError: the directory cannot be made or read.
            ConfigurationError: a file of the directory cannot be read.
        """
        self._directory.trials.mkdir(parents=True, exist_ok=True, mode=0o700)
        forget_stop_request(self._directory.root)
        end = read_end(self._directory)
        endings = self._reports.replay(self._rule)
        results = read_results(self._directory)
        self._searcher.restore(results)
        final = {result.number: result for result in results if result.state.is_final}
        ended = [number for number in self._searcher.ended() if number in final]  # patience counts in this order
        self._standing.finished = [final[number] for number in dict.fromkeys([*ended, *final])]
        # Nobody knows how long an earlier run took that was killed; its slots were busy about so long.
        self._earlier_s = sum(result.elapsed_s for result in self._standing.finished) / self._plan.resources.jobs
        self._audience.study_started(self._plan, self._directory.root)
        for number in final:
            self._rule.finished(number)
        proposals = self._searcher.open_proposals()
        for _ in range(sum(map(was_copied, final.values())) + sum(copy_of(p) is not None for p in proposals)):
            self._rule.copied()
        for proposal in proposals:
            self._take_up(proposal, endings.get(proposal.number))
        if end is None or not end.is_over:  # it may have been killed between the reason to end and the end
            best = None if self._reports.best is None else self._sign * self._reports.best
            self._end_search_for(end_so_far(self._plan, self._standing.finished, best))
        if self._standing.finished:
            self._check_time()

    def _take_up(self, proposal: Proposal, ending: StopDecision | None) -> None:
        """Let an open trial of an earlier run wait, or end it where that had been decided."""
        ending = ending or asked_to_stop(self._directory, proposal.number)
        if ending is None:
            self._standing.waiting.append(Waiting(proposal))
            return
        self._conclude(proposal, ending)

    def _conclude(self, proposal: Proposal, ending: StopDecision) -> None:
        """End a trial of which nothing runs."""
        result = conclude(self._plan, self._directory, proposal, ending)
        if ending.decision is Decision.PAUSE:
            self._pause(Paused(proposal, ending, result))
            return
        self._finish(result)
        self._audience.trial_ended(result)

    def next_task(self) -> TrialTask | None:
        """Return the next attempt to run, or None when there is none now (see `is_over`).

        Raises:
            LaunchError: the study directory cannot be written.
            ConfigurationError: a file of the directory cannot be read.
        """
        with self._lock, recorded(self._directory.root):
            waiting = self._next_waiting()
            if waiting is None:
                return None
            number = waiting.proposal.number
            start = start_of(self._plan, self._directory, waiting.proposal, waiting.change)
            if start.is_alone and self._standing.running:
                self._standing.waiting.appendleft(waiting)
                return None
            task = build_task(self._plan, self._directory, waiting.proposal, start)
            if (ending := self._catch_up(waiting.proposal, task)) is not None:
                self._conclude(waiting.proposal, ending)
                return None
            if self._sharing is not None:
                device = self._sharing.place(number)
                if device is None:
                    self._standing.waiting.appendleft(waiting)
                    return None
                task = replace(task, gpus=(device,))
            task.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_start(task.directory, start, self._directory.root)
            self._standing.running[number] = Running(waiting.proposal, task, start, time.monotonic(), waiting.losses)
            write_result(self._directory, as_running(task))
        self._audience.trial_started(waiting.proposal, task.directory, start.attempt)
        return task

    def _catch_up(self, proposal: Proposal, task: TrialTask) -> StopDecision | None:
        """Judge what earlier attempts have measured and nobody has heard; return the end that follows, if one does."""
        if proposal.replicate_of is not None or not task.earlier:
            return None
        for epoch, value in recalled_curve(task):
            self._searcher.observe(proposal.number, epoch, value)
            if (ending := self._judge(proposal.number, epoch, value)) is not None:
                return ending
        return None

    def _next_waiting(self) -> Waiting | None:
        if self.end_reason is not None or any(running.start.is_alone for running in self._standing.running.values()):
            return None
        if (shortage := short_of_room(self._plan, self._directory.root, self._largest_bytes)) is not None:
            logger.warning("no further trial is started: %s", shortage)
            self.end_reason = self.shortage = shortage  # what runs goes on to its end
            return None
        waiting = self._supply.next(self._give_up_paused)
        may_follow = self._supply.is_thinking or self._standing.running
        if waiting is None and not may_follow and not self._supply.is_exhausted:
            self._end_search_for("the search space is exhausted")
        return waiting

    @property
    def is_over(self) -> bool:
        """Tell whether nothing runs and nothing will be started any more."""
        with self._lock:
            return not self._standing.running and (self.end_reason is not None or self._supply.is_exhausted)

    def measured(self, number: int, measurement: Measurement) -> None:
        """Learn one measurement of a running trial and stop the trial if the rule or the budget says so.

        Raises:
            LaunchError: the study directory cannot be written.
        """
        self._audience.measured(number, measurement)
        value = measurement.values.get(self._plan.objective.metric)
        if measurement.epoch is None or value is None:
            return
        if self._sharing is not None:
            self._sharing.finished_epoch()
        with self._lock, recorded(self._directory.root):
            running = self._standing.running.get(number)
            if running is not None and running.ending is not None and measurement.epoch > running.ending.epoch:
                return  # decided already; what comes in while it is being ended would be left to chance
            self._searcher.observe(number, measurement.epoch, value)
            # A replicate is trained to its end, and compared by its mean.
            is_judged = running is None or running.proposal.replicate_of is None
            ending = self._judge(number, measurement.epoch, value) if is_judged else None
            if ending is not None and running is not None and running.ending is None:
                running.ending = ending
                is_pause = ending.decision is Decision.PAUSE
                words = f"{PAUSED}: {ending.reason}" if is_pause else ending.reason
                running.stop(words, last_epoch=ending.epoch)
            if running is not None and self.is_interrupted and goes_on_after(self._plan, measurement.epoch):
                running.stop(f"{INTERRUPTED} by the user")
            # With constraints a value counts once it is known that its trial keeps them.
            if is_judged and not self._plan.constraints:
                self._end_search_for(target_end(self._plan.budget, self._plan.objective, value))

    def _judge(self, number: int, epoch: int, value: float) -> StopDecision | None:
        """Return the decision to end a trial, if a value that was not judged before leads to it."""
        return self._reports.judge(self._rule, Report(trial=number, epoch=epoch, value=self._sign * value))

    def ended(self, result: TrialResult) -> None:
        """Learn how an attempt ended; some are followed by another one (see `automl.trial.retries`).

        Raises:
            LaunchError: the study directory cannot be written.
        """
        with self._lock, recorded(self._directory.root):
            running = self._standing.running.pop(result.number, None)
            if self._sharing is not None:
                self._sharing.release(result.number)
            if running is None or self._retry(running, result):
                return
            if result.state.is_final:
                self._finish(result)
            else:
                self._suspend(running, result)
        self._audience.trial_ended(result)

    def _suspend(self, running: Running, result: TrialResult) -> None:
        """Keep a trial that may go on: now, if the rule promotes it, or in a resume."""
        if running.ending is not None and running.ending.decision is Decision.PAUSE:
            self._pause(Paused(running.proposal, running.ending, result))
        else:
            self._standing.interrupted[result.number] = result
            write_result(self._directory, result)

    def _pause(self, paused: Paused) -> None:
        self._standing.paused[paused.result.number] = paused
        self._retention.thin(paused.result)
        write_result(self._directory, paused.result)
        self._searcher.pause(paused.result)

    def lost(self, number: int, reason: str) -> None:
        """Learn that whatever ran a trial is gone."""
        with self._lock:
            running = self._standing.running.get(number)
            if running is None:
                return
            if running.ending is not None:
                result = conclude(self._plan, self._directory, running.proposal, running.ending)
            else:
                result = lost_result(running.task, reason, stop_reason=running.stop_reason, since_s=running.since_s)
        self.ended(result)

    def check_budget(self) -> None:
        """Stop the study when its time or GPUs are used up or the user asks for it; to be called every second or so."""
        if self._sharing is not None:
            self._sharing.sample()
        with self._lock:
            self._check_time()
            self._end_for(read_stop_request(self._directory.root), may_go_on=True)

    def _check_time(self) -> None:
        now_s = time.monotonic()
        gpu_s = self._standing.used_s(now_s) * self._plan.resources.gpus_per_trial
        elapsed_s = self._earlier_s + now_s - self._started_s
        self._end_for(budget_end(self._plan.budget, Spent(elapsed_s=elapsed_s, gpu_s=gpu_s)))

    def interrupt(self) -> None:
        """First: start no more trials, end each with the checkpoint of its epoch. Second: end all. A resume goes on."""
        with self._lock:
            if self.is_interrupted:
                self._stop_all(f"{INTERRUPTED} by the user")
                return
            self.is_interrupted = True
            self.end_reason = self.end_reason or _CUT_OFF
        logger.warning("interrupted: trials end with the checkpoint of their epoch; once more ends them at once")

    def close(self) -> StudyResult:
        """Return the trials and tell the trackers that the study is over, unless a resume is to go on with it."""
        is_cut_off = self.is_interrupted or self.shortage is not None
        with self._lock:
            if not is_cut_off:
                self._give_up_paused()
            result = self._standing.study_result(self._plan, self._failure, self.end_reason)
            result = replace(result, may_go_on=self._may_go_on)
        if is_cut_off:
            self.suspend(self.shortage or _CUT_OFF)
        else:
            self._audience.study_ended(result)
        return result

    def suspend(self, reason: str) -> None:
        """End what runs and tell the trackers that the study is cut off, and why; a resume goes on with it."""
        with self._lock:
            self._stop_all(f"{INTERRUPTED}: {reason}")
        self._audience.study_suspended(reason)

    def _give_up_paused(self) -> None:
        """End the trials that were never promoted; their best values count."""
        for number in sorted(self._standing.paused):
            paused = self._standing.paused.pop(number)
            ending = replace(paused.ending, decision=Decision.STOP)
            result = conclude(self._plan, self._directory, paused.proposal, ending)
            # Not all that was measured while it ran is in its files.
            self._finish(replace(result, values={**paused.result.values, **result.values}))
            self._audience.trial_ended(result)

    def _give_up_waiting(self, reason: str) -> None:
        """End the trials that wait for another attempt; what they measured counts. Replicates outlive the search."""
        for waiting in list(self._standing.waiting):
            if self.end_reason is not None or waiting.proposal.replicate_of is None:
                self._standing.waiting.remove(waiting)
                self._conclude(
                    waiting.proposal, StopDecision(decision=Decision.STOP, reason=reason, epoch=sys.maxsize - 1)
                )

    def _retry(self, running: Running, result: TrialResult) -> bool:
        change = change_after(result, running.start, running.losses, self._plan)
        has_ended = self.end_reason is not None and not (self.is_interrupted or self.shortage)
        if change is None or has_ended:
            return False  # where a resume goes on, it has the next attempt
        losses = running.losses + (result.failure is FailureKind.INFRASTRUCTURE)
        words = change.remark or f"it is started again ({result.reason})"
        logger.warning("trial %d has failed, %s: %s", result.number, result.failure, words)
        self._standing.waiting.appendleft(Waiting(running.proposal, losses, change))
        return True

    def _finish(self, result: TrialResult) -> None:
        write_result(self._directory, result)
        self._searcher.tell(result)
        self._rule.finished(result.number)
        self._standing.finished.append(result)
        self._failed_here.append(result)
        if result.replicate_of is None:
            self._end_search_for(goal_end(self._plan, self._standing.finished) or self._improvement.after_end())
        if (cause := error_end(self._failed_here)) is not None and self.end_reason is None:
            self._failure = summarize_errors(cause, result, self._directory.root)
            self._end_for(cause, may_go_on=True)
        size = largest_checkpoint(self._directory.root / result.directory, self._plan.skill.architecture.checkpoints)
        self._largest_bytes = max(size, self._largest_bytes)
        starts = [running.start.checkpoint for running in self._standing.running.values()]
        self._retention.sweep(self._standing.finished, [path for path in starts if path is not None])

    def _end_search_for(self, reason: str | None) -> None:
        """End the search; replicates, where there are any, follow."""
        if not self._plan.replicates:
            self._end_for(reason)
        elif reason is not None and self._standing.search_end is None:
            logger.info("the search is over: %s", reason)
            self._standing.search_end = reason
            self._stop_all(reason)
            self._give_up_waiting(reason)

    def _end_for(self, reason: str | None, *, may_go_on: bool = False) -> None:
        if reason is None or self.end_reason is not None:
            return
        logger.info("no further trial is started: %s", reason)
        self.end_reason, self._may_go_on = reason, may_go_on
        self._stop_all(reason)
        self._give_up_waiting(reason)

    def _stop_all(self, reason: str) -> None:
        for running in self._standing.running.values():
            running.stop(reason)
