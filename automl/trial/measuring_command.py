"""Measure more of a trained trial with the user's own command (`--evaluate-with`): parameters, latency, a test score.

The command runs in the trial's slot once the training has ended, with the devices of the trial. Its metrics are a JSON
object: the file ``{metrics}`` if it writes one, otherwise its last line that is a JSON object. A command that fails
changes nothing but the reason: the trial then has no such metric.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.command import fill_command
from automl.launch.mounts import readable_paths
from automl.readers.status_file import loaded, with_names
from automl.regular_file import followed
from automl.storage.deletion import delete
from automl.storage.trainer_files import open_made, read_made, sha256_of
from automl.study.finite import is_finite
from automl.study.trial import Measurement
from automl.trial.result import with_wanted
from automl.trial.task import launch_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.launch.base import Job, Launcher, LaunchRequest
    from automl.skill.model import JsonValue
    from automl.storage.paths import AttemptPaths
    from automl.study.trial import TrialResult
    from automl.trial.task import TrialTask

_POLL_S = 0.2
_TAIL_BYTES = 64 * 1024


def measure_more(
    task: TrialTask,
    launcher: Launcher,
    result: TrialResult,
    *,
    report: Callable[[Measurement], object],
    must_end: Callable[[], bool],
) -> TrialResult:
    """Run the task's command on a trial that has a value; return its result with what was measured.

    Args:
        task: Names the command; without one the result comes back as it is.
        launcher: Starts and ends the process tree.
        result: How the training ended. Metrics that it has already are kept as the trainer reported them.
        report: Called once with the new metrics, at the best epoch.
        must_end: Asked at every poll; true ends the command.
    """
    if task.evaluate_with is None or not (result.state.has_value and result.values):
        return result
    measured, problem = _run(task, task.evaluate_with, launcher, result, must_end)
    values = {name: value for name, value in measured.items() if name not in result.values}
    if values:
        report(Measurement(epoch=result.best_epoch, values=values))
    reason = "; ".join(filter(None, (result.reason, problem)))
    return replace(result, values=with_wanted(task, {**result.values, **values}), reason=reason)


def _run(
    task: TrialTask, template: str, launcher: Launcher, result: TrialResult, must_end: Callable[[], bool]
) -> tuple[dict[str, float], str]:
    """Return the finite metrics, and what is wrong: why there are none, or which are missing; empty for nothing."""
    if result.checkpoint is None and "{checkpoint}" in template:
        return {}, "evaluate-with was not run: the best epoch left no checkpoint"
    if result.spec_sha256 and sha256_of(task.spec_file) != result.spec_sha256:
        return {}, f"evaluate-with was not run: {task.spec_file.name} is not what the trial was started with"
    try:
        job = launcher.launch(_request(task, template, result))
    except (LaunchError, OSError) as error:
        return {}, f"evaluate-with could not be started: {error}"
    try:
        problem = _wait(job, task, must_end)
    finally:
        job.kill(grace_s=0.0)
    return ({}, problem) if problem else _read(task.files)


def _request(task: TrialTask, template: str, result: TrialResult) -> LaunchRequest:
    metrics = task.files.measuring_metrics
    delete(metrics, inside=followed(task.directory))
    places = {
        "{checkpoint}": str(task.study_directory / result.checkpoint) if result.checkpoint else "",
        "{spec}": str(task.spec_file),
        "{trial_dir}": str(task.directory),
        "{metrics}": str(metrics),
    }
    command = fill_command(template, places)
    named = {f"EVALUATE_{token.strip('{}').upper()}": place for token, place in places.items()}
    training = launch_request(task)
    # In a container it sees what the training saw, and what the command itself names.
    words = readable_paths({"words": [*command, *named.values()]}, own=task.directory) if training.image else ()
    return replace(
        training,
        command=command,
        environment={**training.environment, **named},
        log=task.files.measuring_log,
        read_only=tuple({*training.read_only, *words}) if training.image else (),
        is_single=True,
    )


def _wait(job: Job, task: TrialTask, must_end: Callable[[], bool]) -> str:
    """Wait for the end; return what is wrong, or an empty text."""
    deadline_s = time.monotonic() + task.limits.evaluate_s
    while (status := job.poll()) is None:
        if must_end():
            return "evaluate-with was ended with the study"
        if time.monotonic() > deadline_s:
            return f"evaluate-with ran longer than its limit of {task.limits.evaluate_s:g} s"
        job.wait(_POLL_S)
    return f"evaluate-with failed with exit status {status}; see {task.files.measuring_log.name}" if status else ""


def _read(files: AttemptPaths) -> tuple[dict[str, float], str]:
    log = files.measuring_log.name
    try:
        document = _last_object(files)
    except OSError as error:
        return {}, f"evaluate-with reported no metrics: {error}"
    if document is None:
        return {}, f"evaluate-with reported no metrics: no line of {log} is a JSON object"
    numbers = {n: float(v) for n, v in document.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    values = with_names({name: value for name, value in numbers.items() if is_finite(value)})
    unusable = [name or "a metric without a name" for name in document if name not in values]
    return values, f"evaluate-with: {', '.join(unusable)} is not a finite number" if unusable else ""


def _last_object(files: AttemptPaths) -> dict[str, JsonValue] | None:
    with suppress(FileNotFoundError):
        return _as_object(read_made(files.root, files.measuring_metrics).decode("utf-8", errors="replace"))
    with open_made(files.root, files.measuring_log) as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = stream.read().decode("utf-8", errors="replace").splitlines()
    return next((found for line in reversed(lines) if (found := _as_object(line)) is not None), None)


def _as_object(text: str) -> dict[str, JsonValue] | None:
    document = loaded(text)
    return document if isinstance(document, dict) else None
