"""The worker's side of a study: a Ray actor that runs one trial after the other and returns what they report.

An actor that raises is lost, and a new one takes 20 s on a busy machine; so whatever happens to a trial is returned as
its result. The actor dies with its node process, and its trials die with it (see `automl.launch.supervisor`).
"""

from __future__ import annotations

import concurrent.futures
import copyreg
import logging
import os
import pickle
import queue
import time
import traceback
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from automl import clock
from automl.launch.base import Launcher
from automl.launch.processes import die_with_parent
from automl.study.trial import FailureKind, Measurement, TrialResult
from automl.trial.failures import Failure
from automl.trial.history import TrialHistory
from automl.trial.outcome import failed
from automl.trial.resource_usage import PEAK, ResourceWatch
from automl.trial.result import build_result
from automl.trial.runner import run_trial
from automl.trial.stop_request import read_stop_request

if TYPE_CHECKING:
    from automl.executor.ray.nodes import LauncherChoice
    from automl.launch.base import Job, LaunchRequest
    from automl.trial.task import TrialTask

logger = logging.getLogger(__name__)

TASK = "task"
LAUNCHER = "launcher"
MEASUREMENTS = "measurements"
RESULT = "result"
_TRACEBACK_LINES = 20


def _view_of(mapping: dict[str, Any]) -> MappingProxyType[str, Any]:
    return MappingProxyType(mapping)


# Measurements and results hold read-only views of mappings, which the standard library cannot pickle.
copyreg.pickle(MappingProxyType, lambda view: (_view_of, (dict(view),)))


class RecordingLauncher(Launcher):
    """Keeps the jobs of one trial that another launcher starts."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._jobs: list[Job] = []

    def launch(self, request: LaunchRequest) -> Job:
        """Start a job and keep it."""
        job = self._launcher.launch(request)
        self._jobs.append(job)
        return job

    @property
    def first_pid(self) -> int | None:
        """The first process of the job started last; None if there is none, or if it cannot be seen from here."""
        return self._jobs[-1].pid if self._jobs else None

    def kill_all(self) -> None:
        """End every job."""
        for job in self._jobs:
            job.kill(grace_s=0.0)


class TrialActor(tune.Trainable):
    """Runs trials; `step` returns what was reported since the last step, the last step also the result."""

    def setup(self, config: dict[str, Any]) -> None:
        """Make the launcher, once for all trials of this actor."""
        die_with_parent(os.getppid())
        choice: LauncherChoice = pickle.loads(config[LAUNCHER])  # noqa: S301 # from our own driver
        self._launcher = choice.make()
        self._jobs = RecordingLauncher(self._launcher)
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="trial")
        self._future: concurrent.futures.Future[TrialResult] | None = None
        self._inbox: queue.SimpleQueue[Measurement | None] = queue.SimpleQueue()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process."""
        del new_config
        self._future = None
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the next measurement or for the end."""
        if self._future is None:
            self._begin()
        received = [self._inbox.get()]
        while not self._inbox.empty():
            received.append(self._inbox.get())
        measurements = [measurement for measurement in received if measurement is not None]
        answer: dict[str, Any] = {MEASUREMENTS: pickle.dumps(measurements), "done": False}
        if received[-1] is None:
            answer[RESULT] = pickle.dumps(self._finish())
            answer["done"] = True
        return answer

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: checkpoints are the trainer's, and the study directory is the record."""

    def cleanup(self) -> None:
        """End what still runs; called when the actor is ended."""
        self._jobs.kill_all()
        self._launcher.close()
        self._pool.shutdown(wait=False)

    def _begin(self) -> None:
        task: TrialTask = pickle.loads(self.config[TASK])  # noqa: S301 # from our own driver
        # Trials that share a GPU got theirs from the driver, which knows how much memory they need.
        self.task = task.on(task.command.gpus or tuple(str(gpu) for gpu in ray.get_gpu_ids()))
        self._started_s = time.monotonic()
        self._jobs = jobs = RecordingLauncher(self._launcher)
        inbox: queue.SimpleQueue[Measurement | None] = queue.SimpleQueue()
        self._inbox = inbox
        self._future = self._pool.submit(
            run_trial,
            self.task,
            jobs,
            report=inbox.put,
            stop_requested=lambda: read_stop_request(self.task.directory),
        )
        # Of a container only the GPUs can be seen from outside.
        is_inside = self.task.command.image is not None
        self._watch = watch = ResourceWatch(
            root_pid=lambda: None if is_inside else jobs.first_pid, gpus=self.task.command.gpus, report=inbox.put
        )
        watch.start()

        def end(_: object) -> None:
            watch.stop()
            if watch.peak_gib is not None:
                inbox.put(Measurement(values={PEAK: watch.peak_gib}, unix_time_s=clock.unix_time_s()))
            inbox.put(None)

        self._future.add_done_callback(end)

    def _finish(self) -> TrialResult:
        future = self._future
        assert future is not None  # noqa: S101 # step began it
        error = future.exception()
        if error is not None:
            return self._broken(error)
        result, peak_gib = future.result(), self._watch.peak_gib
        if peak_gib is None or PEAK not in self.task.watch.wanted or PEAK in result.values or not result.values:
            return result
        return replace(result, values={**result.values, PEAK: peak_gib})

    def _broken(self, error: BaseException) -> TrialResult:
        """Return the result of a trial that could not be run."""
        self._jobs.kill_all()
        cause = Failure(kind=FailureKind.INFRASTRUCTURE, cause=f"{type(error).__name__}: {error}")
        elapsed_s = self.task.start.earlier_s + time.monotonic() - self._started_s
        result = build_result(self.task, TrialHistory(self.task.watch), failed(cause), elapsed_s=elapsed_s)
        lines = "".join(traceback.format_exception(error)).splitlines()
        return replace(result, log_tail=tuple(lines[-_TRACEBACK_LINES:]))
