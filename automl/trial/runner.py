"""Run one attempt of a trial: write its spec, launch it, follow what it reports, end it when it must end, judge it.

Knows neither Ray nor the study. Whatever the trainer does becomes a result; nothing it does is raised. A first training
loss or objective that is not finite ends the whole process tree at once; a healthy trial that is asked to stop may
first finish the checkpoint of its best epoch.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError
from automl.launch.base import LaunchRequest
from automl.launch.command import build_command
from automl.launch.environment import trial_environment
from automl.readers.follow import follow
from automl.readers.metric_file import MetricFileReader
from automl.readers.names import find_name
from automl.readers.status_file import StatusReader
from automl.spec.model import Spec
from automl.spec.write import write_spec
from automl.study.trial import FailureKind, TrialResult, TrialState
from automl.trial.best_checkpoint import BestCheckpoint, await_checkpoint, find_best, relative_to_study
from automl.trial.continuation import earlier_measurements
from automl.trial.disk import is_full
from automl.trial.failures import Failure, classify_launch, read_tail
from automl.trial.history import TrialHistory
from automl.trial.log_fallback import LogFallback
from automl.trial.measuring_command import measure_more
from automl.trial.outcome import INTERRUPTED, PAUSED, Verdict, failed, judge, stopped
from automl.trial.stall_timeout import StallTimeout
from automl.trial.stop_request import read_last_epoch
from automl.trial.task import TrialTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl.launch.base import Job, Launcher
    from automl.readers.follow import Source
    from automl.study.trial import Measurement

__all__ = ["INTERRUPTED", "TrialTask", "run_trial"]

logger = logging.getLogger(__name__)

POLL_S = 0.1
# A diverged trial has nothing worth saving: no grace, so that its slot is free at once.
_NO_GRACE_S = 0.0
_NO_ROOM = Failure(kind=FailureKind.INFRASTRUCTURE, cause="the trainer failed on a full disk, where no log can say why")


def run_trial(
    task: TrialTask,
    launcher: Launcher,
    *,
    report: Callable[[Measurement], None],
    stop_requested: Callable[[], str | None],
) -> TrialResult:
    """Run one attempt of a trial to its end.

    Args:
        task: What to run.
        launcher: Starts and ends the process tree.
        report: Called with every measurement, at once, from this thread; the objective has the name that the task asks
            for. Values may be empty: a measurement then tells progress or a message.
        stop_requested: Asked at every poll and after every report; a text ends the trial and is its reason. A text that
            begins with `INTERRUPTED` makes the trial one that a resume continues.

    Returns:
        How the attempt ended; never PENDING or RUNNING. It can be pickled.

    Raises:
        Exception: whatever ``report`` and ``stop_requested`` raise; the process tree is ended before.
    """
    started_s = time.monotonic()
    course = _recalled(task)
    try:
        job = launcher.launch(_prepare(task))
    except LaunchError as error:
        return _result(task, course, failed(classify_launch(error)), started_s=started_s)
    except ConfigurationError as error:
        verdict = failed(Failure(kind=FailureKind.SPEC, cause=" ".join(str(error).split())))
        return _result(task, course, verdict, started_s=started_s)
    except OSError as error:
        cause = f"the trial directory could not be prepared: {error}"
        verdict = failed(Failure(kind=FailureKind.INFRASTRUCTURE, cause=cause))
        return _result(task, course, verdict, started_s=started_s)
    running = _RunningTrial(task, course, job, report, stop_requested, started_s)
    try:
        verdict = running.watch()
    finally:
        job.kill(grace_s=_NO_GRACE_S)
    result = _result(task, course, verdict, started_s=started_s, exit_status=running.exit_status)
    # A trial that was asked to stop is still asked to: only an interruption of the study ends its measuring.
    result = measure_more(
        task, launcher, result, report=report, must_end=lambda: (stop_requested() or "").startswith(INTERRUPTED)
    )
    return replace(result, values=_with_wanted(task, result.values))


def conclude_trial(task: TrialTask, reason: str) -> TrialResult:
    """Return the result of a trial that was to be stopped when whoever ran it was lost: nothing is run any more.

    Args:
        task: Its last attempt; ``earlier`` holds the directories of all attempts, ``first_epoch`` the epoch after the
            last one that counts.
        reason: Why it was to be stopped.
    """
    return _result(task, _recalled(task), stopped(reason), started_s=time.monotonic())


def recalled_curve(task: TrialTask) -> tuple[tuple[int, float], ...]:
    """Return (epoch, objective) of what the earlier attempts have measured before the task's first epoch."""
    return _recalled(task).curve


def _recalled(task: TrialTask) -> TrialHistory:
    course = TrialHistory(
        objective=task.objective_metric,
        direction=task.direction,
        watched=task.watched,
        explosion=task.explosion,
        max_epochs=task.max_epochs,
    )
    course.recall(earlier_measurements(task.earlier, task.first_epoch))
    return course


@dataclass(slots=True)
class _RunningTrial:
    """One launched trial and everything that may end it."""

    task: TrialTask
    course: TrialHistory
    job: Job
    report: Callable[[Measurement], None]
    stop_requested: Callable[[], str | None]
    started_s: float
    exit_status: int | None = None
    _verdict: Verdict | None = None
    _silence: StallTimeout = field(init=False)
    _sources: list[Source] = field(init=False)

    def __post_init__(self) -> None:
        self._sources = self._make_sources()
        self._silence = StallTimeout(limit_s=self.task.silence_limit_s, log=self.task.files.log_file)

    def watch(self) -> Verdict:
        """Follow the trial to its end and judge it."""
        for measurement in follow(self.job, *self._sources, poll_s=POLL_S, until=self._must_end):
            if self._learn(self.course.named(measurement)):
                break
        if self._verdict is not None:
            self._end(self._verdict)
            return self._verdict
        self.exit_status = self.job.poll()
        tail = read_tail(self.task.files.log_file)
        verdict = judge(self.course, self.exit_status or 0, tail, was_lost=self.job.was_lost)
        is_unexplained = verdict.failure is FailureKind.TRAINER and is_full(self.task.directory)
        return failed(_NO_ROOM) if is_unexplained else verdict

    def _learn(self, measurement: Measurement) -> bool:
        reason = self.course.learn(measurement)
        self._silence.heard()
        self.report(measurement)
        if reason is not None:
            self._verdict = Verdict(state=TrialState.DIVERGED, reason=reason)
        return reason is not None or self._must_end()

    def _must_end(self) -> bool:
        if self._verdict is None and (reason := self.stop_requested()) is not None:
            self._verdict = stopped(reason)
        elapsed_s, limit_s = self.task.earlier_s + time.monotonic() - self.started_s, self.task.time_limit_s
        if self._verdict is None and limit_s is not None and elapsed_s > limit_s:
            self._verdict = _timed_out(f"ran longer than its limit of {limit_s:g} s")
        if self._verdict is None and (silent_s := self._silence.exceeded()) is not None:
            self._verdict = _timed_out(f"wrote nothing for {silent_s:.0f} s")
        return self._verdict is not None

    def _end(self, verdict: Verdict) -> None:
        is_healthy = verdict.state in {TrialState.STOPPED, TrialState.INTERRUPTED}
        if is_healthy:
            goes_on = verdict.state is TrialState.INTERRUPTED
            await_checkpoint(self.job, self.task.directory, self.task.naming, self.course, goes_on=goes_on)
        self.job.kill(grace_s=self.task.grace_s if is_healthy else _NO_GRACE_S)
        if is_healthy:
            self._read_the_rest()
        logger.debug("trial %d ended: %s", self.task.number, verdict.reason)

    def _read_the_rest(self) -> None:
        """Take up what else the epochs that count have measured: a trainer writes several lines for each."""
        for source in self._sources:
            for measurement in map(self.course.named, source.finish()):
                self.course.learn(measurement)
        if (last_epoch := read_last_epoch(self.task.directory)) is not None:
            self.course.cut_after(last_epoch)

    def _make_sources(self) -> list[Source]:
        status = StatusReader(self.task.directory)
        sources: list[Source] = [status]
        if self.task.metric_file is not None:
            sources.append(MetricFileReader(self.task.directory, self.task.metric_file))
        log = LogFallback(
            self.task.files.log_file,
            self.task.objective_metric,
            # In a log, "loss" may be any loss.
            tuple(name for name in self.task.watched if name.startswith("train")),
            has_status=lambda: status.has_files,
            has_objective=lambda: bool(self.course.curve),
        )
        return [*sources, log]


def _prepare(task: TrialTask) -> LaunchRequest:
    task.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_spec(Spec(values=task.spec), task.config_format, task.spec_file)
    return launch_request(task)


def launch_request(task: TrialTask) -> LaunchRequest:
    """Return what is started for an attempt, once its directory and its spec are there.

    Raises:
        LaunchError: the command cannot be built.
    """
    return LaunchRequest(
        command=build_command(task.command, task.spec_file),
        directory=task.directory,
        environment=trial_environment(
            os.environ, tag=task.tag, gpus=task.gpus, threads=task.threads, extra=task.environment
        ),
        log=task.files.log_file,
        tag=task.tag,
        gpus=task.gpus,
        image=task.image,
        read_only=task.read_only,
        writable=(task.directory,),
        options=task.options,
        credentials=task.credentials,
    )


def _timed_out(cause: str) -> Verdict:
    return failed(Failure(kind=FailureKind.TIMEOUT, cause=cause))


def _result(
    task: TrialTask, course: TrialHistory, verdict: Verdict, *, started_s: float, exit_status: int | None = None
) -> TrialResult:
    competes = verdict.state.has_value and course.best_epoch is not None
    # What a paused trial has measured so far teaches the sampler; it competes once it has ended.
    is_measured = competes or (verdict.reason.startswith(PAUSED) and course.best_epoch is not None)
    best = find_best(task, course) if competes else BestCheckpoint()
    reason = verdict.reason
    if competes and best.path is None:
        missing = f"epoch {course.best_epoch}, its best, left no checkpoint"
        reason = f"{reason}; {missing}" if reason else missing
    if task.remark:
        reason = f"{reason}; {task.remark}" if reason else task.remark
    has_failed = verdict.state is TrialState.FAILED
    return TrialResult(
        number=task.number,
        state=verdict.state,
        reason=reason,
        failure=verdict.failure,
        assignment=dict(task.assignment),
        values=course.values_at(course.best_epoch) if is_measured and course.best_epoch is not None else {},
        best_epoch=course.best_epoch if is_measured else None,
        epochs=course.epochs,
        curve=course.curve,
        elapsed_s=task.earlier_s + time.monotonic() - started_s,
        directory=relative_to_study(task.directory, task),
        checkpoint=best.path,
        sha256=best.sha256,
        attempt=task.attempt,
        exit_status=exit_status,
        log_tail=read_tail(task.files.log_file) if has_failed else (),
        parent=task.parent,
        replicate_of=task.replicate_of,
        seed=task.seed,
        origin=task.origin,
        changes=dict(task.changes),
        gpus=task.gpus,
    )


def _with_wanted(task: TrialTask, values: Mapping[str, float]) -> dict[str, float]:
    """Return metrics with those that the study looks at under the names it gives them, where they have others."""
    found = {name: values[alias] for name in task.wanted if (alias := find_name(values, name)) is not None}
    return {**values, **found}
