"""Run one attempt of a trial: write its spec, launch it, follow what it reports, end it when it must end.

Knows neither Ray nor the study. Whatever the trainer does becomes a result; nothing it does is raised. The first
training loss or objective that is not finite ends the whole process tree at once; a healthy trial that is asked to stop
may first finish the checkpoint of its best epoch.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError
from automl.spec.model import Spec
from automl.spec.write import write_spec
from automl.storage.held_log import HeldLog
from automl.storage.held_study import ReplacedFolderError, held_study, require_held
from automl.storage.own_attempts import require_own_attempt
from automl.storage.own_documents import write_own
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.trainer_files import set_aside
from automl.study.ends import StopKind
from automl.study.trial import FailureKind, TrialState
from automl.trial.attempts import earlier_measurements
from automl.trial.best_checkpoint import await_checkpoint
from automl.trial.counted_reports import CountedReports, NamedEpochs
from automl.trial.disk import is_full
from automl.trial.failures import Failure, classify_launch, read_tail
from automl.trial.follow import StallTimeout, follow
from automl.trial.history import MOST_EPOCHS, TrialHistory
from automl.trial.measuring_command import measure_more
from automl.trial.outcome import TrialOutcome, failed, outcome_of, stopped
from automl.trial.reporter import Reporter
from automl.trial.result import build_result
from automl.trial.sources import sources_of
from automl.trial.task import launch_request
from automl.trial.working_folder import make_working_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.launch.base import Job, Launcher
    from automl.study.ends import StopCause
    from automl.study.trial import Measurement, TrialResult
    from automl.trial.follow import Source
    from automl.trial.task import TrialTask

logger = logging.getLogger(__name__)

POLL_S = 0.1
_LOOK_S = 0.05
"""How long a flood of lines that are not handed on is read before it is asked whether the trial must end."""
_THINNED = f"it reports more than {MOST_EPOCHS} epochs: of its curve every second one of them is kept, and the best"
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
        report: Called with the measurements, at once and from this thread as far as `Reporter` allows; the objective
            has the name that the task asks for. Values may be empty: a measurement then reports progress, a message or
            a notice.
        stop_requested: Asked at every poll and after every report; a cause ends the trial.

    Returns:
        How the attempt ended; never PENDING or RUNNING. It can be pickled.

    Raises:
        Exception: whatever ``report`` and ``stop_requested`` raise; the process tree is ended before.
    """
    started_s = time.monotonic()
    reporter = Reporter(report, task.directory)
    history = TrialHistory(task.watch)
    history.recall([*earlier_measurements(task.start, task.watch), *task.measured])
    exit_status: int | None = None
    digest, is_own = "", True
    with ExitStack() as holding:
        try:
            holding.enter_context(held_study(task.study_directory))
            require_own_attempt(task.files, task.start.token)
            digest = _prepare(task)
            job, log = _launch(task, launcher, holding)
        except (LaunchError, ConfigurationError, OSError) as error:
            outcome, is_own = failed(_not_started(error)), not isinstance(error, ReplacedFolderError)
        else:
            running = _RunningTrial(task, history, job, reporter, stop_requested, started_s, log)
            try:
                outcome = running.watch()
            finally:
                job.kill(grace_s=_NO_GRACE_S)
                _put_back(task, log, reporter)
            exit_status = running.exit_status
            outcome, is_own = _unless_replaced(task, outcome)

        elapsed_s = task.start.earlier_s + time.monotonic() - started_s
        result = build_result(task, history, outcome, elapsed_s=elapsed_s, exit_status=exit_status)
        result = replace(result, spec_sha256=digest, log_tail=result.log_tail if is_own else ())
        result = measure_more(
            task, launcher, result, report=reporter.add, must_end=partial(_is_interrupted, stop_requested)
        )
    reporter.finish()
    return result


def _prepare(task: TrialTask) -> str:
    """Make the folders of the attempt and write its spec; return the SHA-256 of that."""
    digest = _write_spec(task)
    if task.command.shown is not None:
        make_working_folder(task.command.shown, task.working_folder, task.study_directory)
    return digest


def _write_spec(task: TrialTask) -> str:
    """Make the folder of the attempt and write its spec; return the SHA-256 of that."""
    make_folder(task.directory, below=task.study_directory)
    return write_spec(Spec(values=task.command.spec), task.command.config_format, task.spec_file)


def _launch(task: TrialTask, launcher: Launcher, holding: ExitStack) -> tuple[Job, HeldLog]:
    log = holding.enter_context(HeldLog(task.files.log_file, task.files.own_log))
    return launcher.launch(launch_request(task)), log


def _put_back(task: TrialTask, log: HeldLog, reporter: Reporter) -> None:
    """Write again, with a notice, what the trainer has removed of what automl wrote in its folder."""
    try:
        require_own_attempt(task.files, task.start.token)
        done = set_aside(task.directory, is_folder=True)
        done += log.put_back(below=task.study_directory)
        done += [text for place in (task.spec_file, task.files.start_file) for text in set_aside(place)]
        if not task.spec_file.exists():
            _write_spec(task)
            done.append(f"{task.spec_file.name} was written again")
        if task.start.token and not task.files.start_file.exists():
            study = StudyPaths(task.study_directory)
            write_own(study, task.files.start_file, task.start.document(study))
    except ReplacedFolderError:
        return  # what lies there is of another study
    except OSError as error:
        done = [f"it could not be written again ({error})"]
    if done:
        reporter.notice(f"it removed what automl had written in its folder: {', '.join(done)}")


def _not_started(error: LaunchError | ConfigurationError | OSError) -> Failure:
    if isinstance(error, LaunchError):
        return classify_launch(error)
    if isinstance(error, ConfigurationError):
        return Failure(kind=FailureKind.SPEC, cause=" ".join(str(error).split()))
    return Failure(kind=FailureKind.INFRASTRUCTURE, cause=f"the trial directory could not be prepared: {error}")


def _replaced(error: ReplacedFolderError) -> Failure:
    return Failure(kind=FailureKind.INFRASTRUCTURE, cause=f"while it ran, {error.filename} {error.strerror}")


def _unless_replaced(task: TrialTask, outcome: TrialOutcome) -> tuple[TrialOutcome, bool]:
    """Return the outcome of a trial, and whether its folder is its own: of another one nothing is to be read."""
    try:
        require_own_attempt(task.files, task.start.token)
        require_held(task.directory)
    except ReplacedFolderError as error:
        return failed(_replaced(error)), False
    return outcome, True


def _is_interrupted(stop_requested: Callable[[], StopCause | None]) -> bool:
    """Tell whether the study is interrupted: only that ends the measuring of a trial that was asked to stop."""
    cause = stop_requested()
    return cause is not None and cause.kind is StopKind.INTERRUPTED


@dataclass(slots=True)
class _RunningTrial:
    """One launched trial and everything that may end it."""

    task: TrialTask
    history: TrialHistory
    job: Job
    reporter: Reporter
    stop_requested: Callable[[], StopCause | None]
    started_s: float
    log: HeldLog
    exit_status: int | None = None
    _outcome: TrialOutcome | None = None
    _stall: StallTimeout = field(init=False)
    _sources: list[Source] = field(init=False)
    _looked_s: float = 0.0

    def __post_init__(self) -> None:
        task = self.task
        self._stall = StallTimeout(limit_s=task.limits.stall_s, log_bytes=lambda: self.log.status().st_size)
        sources = sources_of(task.files, task.watch, has_objective=lambda: bool(self.history.curve), held=self.log)
        named, first = NamedEpochs(), task.start.first_epoch
        self._sources = [CountedReports(source, self.history.objective, first, named) for source in sources]

    def watch(self) -> TrialOutcome:
        """Follow the trial to its end and return how it ended."""
        for measurement in follow(self.job, *self._sources, poll_s=POLL_S, until=self._must_end):
            if self._observe(self.history.named(measurement)):
                break
        if self._outcome is not None:
            self._end(self._outcome)
            return self._outcome
        self.exit_status = self.job.poll()
        _put_back(self.task, self.log, self.reporter)
        tail = read_tail(self.task.files.log_file)
        outcome = outcome_of(self.history, self.exit_status or 0, tail, external_end=self.job.external_end)
        is_unexplained = outcome.failure is FailureKind.TRAINER and is_full(self.task.directory)
        return failed(_NO_ROOM) if is_unexplained else outcome

    def _observe(self, measurement: Measurement) -> bool:
        """Take one measurement over; return whether it ends the trial: a loss that is not finite does, at once."""
        divergence = self.history.observe(measurement)
        if self.history.is_thinned:
            self.reporter.notice(_THINNED)
        self._stall.reset()
        is_handed_on = self.reporter.add(measurement)
        if divergence is not None:
            self._outcome = TrialOutcome(state=TrialState.DIVERGED, reason=divergence)
        is_due = is_handed_on or time.monotonic() - self._looked_s > _LOOK_S
        return divergence is not None or (is_due and self._must_end())

    def _must_end(self) -> bool:
        self._looked_s = time.monotonic()
        self.reporter.tick()
        try:
            require_held(self.task.directory)
        except ReplacedFolderError as error:
            self._outcome = self._outcome or failed(_replaced(error))
        if self._outcome is None and (cause := self.stop_requested()) is not None:
            self._outcome = stopped(cause)
        elapsed_s, limit_s = self.task.start.earlier_s + time.monotonic() - self.started_s, self.task.limits.trial_s
        if self._outcome is None and limit_s is not None and elapsed_s > limit_s:
            self._outcome = _timed_out(f"ran longer than its limit of {limit_s:g} s")
        if self._outcome is None and (silent_s := self._stall.exceeded()) is not None:
            self._outcome = _timed_out(f"wrote nothing for {silent_s:.0f} s")
        return self._outcome is not None

    def _end(self, outcome: TrialOutcome) -> None:
        if outcome.state in {TrialState.STOPPED, TrialState.INTERRUPTED}:
            continues = outcome.state is TrialState.INTERRUPTED
            await_checkpoint(self.job, self.task.directory, self.task.watch.naming, self.history, continues=continues)
            self.job.kill(grace_s=self.task.limits.grace_s)
            self._read_rest(outcome.cause)
        else:
            self.job.kill(grace_s=_NO_GRACE_S)
        logger.debug("trial %d ended: %s", self.task.number, outcome.reason)

    def _read_rest(self, cause: StopCause | None) -> None:
        """Read what else was measured in the epochs that count: a trainer writes several lines for each."""
        for source in self._sources:
            for measurement in map(self.history.named, source.finish()):
                self.history.observe(measurement)
                self.reporter.add(measurement)
        if cause is not None and cause.last_epoch is not None:
            self.history.cut_after(cause.last_epoch)


def _timed_out(cause: str) -> TrialOutcome:
    return failed(Failure(kind=FailureKind.TIMEOUT, cause=cause))
