"""Run one attempt of a trial: write its spec, launch it, follow what it reports, end it when it must end.

Knows neither Ray nor the study. Whatever the trainer does becomes a result; nothing it does is raised. The first
training loss or objective that is not finite ends the whole process tree at once; a healthy trial that is asked to stop
may first finish the checkpoint of its best epoch.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError
from automl.launch.base import LaunchRequest
from automl.launch.command import build_command, trial_environment
from automl.readers.follow import follow
from automl.readers.metric_file import MetricFileReader
from automl.readers.status_file import StatusReader
from automl.spec.model import Spec
from automl.spec.write import write_spec
from automl.study.ends import StopKind
from automl.study.trial import FailureKind, TrialState
from automl.trial.best_checkpoint import await_checkpoint
from automl.trial.continuation import earlier_measurements
from automl.trial.disk import is_full
from automl.trial.failures import Failure, classify_launch, read_tail
from automl.trial.history import TrialHistory
from automl.trial.log_fallback import LogFallback
from automl.trial.measuring_command import measure_more
from automl.trial.outcome import TrialOutcome, failed, outcome_of, stopped
from automl.trial.result import build_result
from automl.trial.stall_timeout import StallTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.launch.base import Job, Launcher
    from automl.readers.follow import Source
    from automl.study.ends import StopCause
    from automl.study.trial import Measurement, TrialResult
    from automl.trial.task import TrialTask

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
    stop_requested: Callable[[], StopCause | None],
) -> TrialResult:
    """Run one attempt of a trial to its end.

    Args:
        task: What to run.
        launcher: Starts and ends the process tree.
        report: Called with every measurement, at once, from this thread; the objective has the name that the task asks
            for. Values may be empty: a measurement then reports progress or a message.
        stop_requested: Asked at every poll and after every report; a cause ends the trial.

    Returns:
        How the attempt ended; never PENDING or RUNNING. It can be pickled.

    Raises:
        Exception: whatever ``report`` and ``stop_requested`` raise; the process tree is ended before.
    """
    started_s = time.monotonic()
    history = TrialHistory.of(task)
    history.recall(earlier_measurements(task.start.earlier, task.start.first_epoch))
    exit_status: int | None = None
    try:
        job = launcher.launch(_prepare(task))
    except LaunchError as error:
        outcome = failed(classify_launch(error))
    except ConfigurationError as error:
        outcome = failed(Failure(kind=FailureKind.SPEC, cause=" ".join(str(error).split())))
    except OSError as error:
        cause = f"the trial directory could not be prepared: {error}"
        outcome = failed(Failure(kind=FailureKind.INFRASTRUCTURE, cause=cause))
    else:
        running = _RunningTrial(task, history, job, report, stop_requested, started_s)
        try:
            outcome = running.watch()
        finally:
            job.kill(grace_s=_NO_GRACE_S)
        exit_status = running.exit_status
    elapsed_s = task.start.earlier_s + time.monotonic() - started_s
    result = build_result(task, history, outcome, elapsed_s=elapsed_s, exit_status=exit_status)
    return measure_more(task, launcher, result, report=report, must_end=lambda: _is_interrupted(stop_requested()))


def _is_interrupted(cause: StopCause | None) -> bool:
    """Tell whether the study is interrupted: only that ends the measuring of a trial that was asked to stop."""
    return cause is not None and cause.kind is StopKind.INTERRUPTED


@dataclass(slots=True)
class _RunningTrial:
    """One launched trial and everything that may end it."""

    task: TrialTask
    history: TrialHistory
    job: Job
    report: Callable[[Measurement], None]
    stop_requested: Callable[[], StopCause | None]
    started_s: float
    exit_status: int | None = None
    _outcome: TrialOutcome | None = None
    _stall: StallTimeout = field(init=False)
    _sources: list[Source] = field(init=False)

    def __post_init__(self) -> None:
        self._sources = self._make_sources()
        self._stall = StallTimeout(limit_s=self.task.limits.stall_s, log=self.task.files.log_file)

    def watch(self) -> TrialOutcome:
        """Follow the trial to its end and return how it ended."""
        for measurement in follow(self.job, *self._sources, poll_s=POLL_S, until=self._must_end):
            if self._observe(self.history.named(measurement)):
                break
        if self._outcome is not None:
            self._end(self._outcome)
            return self._outcome
        self.exit_status = self.job.poll()
        tail = read_tail(self.task.files.log_file)
        outcome = outcome_of(self.history, self.exit_status or 0, tail, external_end=self.job.external_end)
        is_unexplained = outcome.failure is FailureKind.TRAINER and is_full(self.task.directory)
        return failed(_NO_ROOM) if is_unexplained else outcome

    def _observe(self, measurement: Measurement) -> bool:
        """Take one measurement over; return whether it ends the trial: a loss that is not finite does, at once."""
        divergence = self.history.observe(measurement)
        self._stall.reset()
        self.report(measurement)
        if divergence is not None:
            self._outcome = TrialOutcome(state=TrialState.DIVERGED, reason=divergence)
        return divergence is not None or self._must_end()

    def _must_end(self) -> bool:
        if self._outcome is None and (cause := self.stop_requested()) is not None:
            self._outcome = stopped(cause)
        elapsed_s, limit_s = self.task.start.earlier_s + time.monotonic() - self.started_s, self.task.limits.trial_s
        if self._outcome is None and limit_s is not None and elapsed_s > limit_s:
            self._outcome = _timed_out(f"ran longer than its limit of {limit_s:g} s")
        if self._outcome is None and (silent_s := self._stall.exceeded()) is not None:
            self._outcome = _timed_out(f"wrote nothing for {silent_s:.0f} s")
        return self._outcome is not None

    def _end(self, outcome: TrialOutcome) -> None:
        is_healthy = outcome.state in {TrialState.STOPPED, TrialState.INTERRUPTED}
        if is_healthy:
            continues = outcome.state is TrialState.INTERRUPTED
            await_checkpoint(self.job, self.task.directory, self.task.watch.naming, self.history, continues=continues)
        self.job.kill(grace_s=self.task.limits.grace_s if is_healthy else _NO_GRACE_S)
        if is_healthy:
            self._read_rest(outcome.cause)
        logger.debug("trial %d ended: %s", self.task.number, outcome.reason)

    def _read_rest(self, cause: StopCause | None) -> None:
        """Read what else was measured in the epochs that count: a trainer writes several lines for each."""
        last_epoch = None if cause is None else cause.last_epoch
        for source in self._sources:
            for measurement in map(self.history.named, source.finish()):
                self.history.observe(measurement)
                self.report(measurement)
        if last_epoch is not None:
            self.history.cut_after(last_epoch)

    def _make_sources(self) -> list[Source]:
        status = StatusReader(self.task.directory)
        sources: list[Source] = [status]
        if self.task.watch.metric_file is not None:
            sources.append(MetricFileReader(self.task.directory, self.task.watch.metric_file))
        log = LogFallback(
            self.task.files.log_file,
            self.task.watch.objective.metric,
            # In a log, "loss" may be any loss.
            tuple(name for name in self.task.watch.watched if name.startswith("train")),
            has_status=lambda: status.has_files,
            has_objective=lambda: bool(self.history.curve),
        )
        return [*sources, log]


def _prepare(task: TrialTask) -> LaunchRequest:
    task.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_spec(Spec(values=task.command.spec), task.command.config_format, task.spec_file)
    return launch_request(task)


def launch_request(task: TrialTask) -> LaunchRequest:
    """Return what is started for an attempt, once its directory and its spec are there.

    Raises:
        LaunchError: the command cannot be built.
    """
    return LaunchRequest(
        command=build_command(task.command.template, task.spec_file),
        directory=task.directory,
        environment=trial_environment(
            os.environ,
            tag=task.command.tag,
            gpus=task.command.gpus,
            threads=task.command.threads,
            extra=task.command.environment,
        ),
        log=task.files.log_file,
        tag=task.command.tag,
        gpus=task.command.gpus,
        image=task.command.image,
        read_only=task.command.read_only,
        writable=(task.directory,),
        options=task.command.options,
        credentials=task.command.credentials,
    )


def _timed_out(cause: str) -> TrialOutcome:
    return failed(Failure(kind=FailureKind.TIMEOUT, cause=cause))
