"""Run an action of the skill on a checkpoint of a study: evaluate, inference, export, quantize.

The action gets the exact file, the shape and normalisation of its training, and a directory of its own:
`<study>/actions/<action>-<n>/`. A failure is a result, and is not raised.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError
from automl.handoff.action_spec import ActionOptions, action_spec
from automl.handoff.best import ChosenCheckpoint, choose_checkpoint
from automl.launch.base import LaunchRequest
from automl.launch.choice import OVERRIDE, make_launcher, ready_launch
from automl.launch.command import build_command, example_command, trial_environment
from automl.launch.local import WarmLauncher
from automl.launch.mounts import readable_paths
from automl.machine import detect_machine
from automl.readers.status_file import StatusReader
from automl.spec.inputs import missing_inputs
from automl.spec.model import Spec
from automl.spec.write import write_spec
from automl.storage.documents import only_for_user, to_json
from automl.storage.event_log import EventLog
from automl.storage.held_log import HeldLog
from automl.storage.held_study import ReplacedFolderError, held_study
from automl.storage.legacy import upgrade_log
from automl.storage.own_documents import write_own
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.plan_document import read_plan
from automl.storage.trainer_files import refusals, set_aside
from automl.study.evaluation import ActionStatus
from automl.study.events import ActionEnded
from automl.study.launch_plan import LauncherKind, LaunchPlan
from automl.tracking.mlflow.tracker import MlflowTracker
from automl.trial.failures import classify, read_tail
from automl.trial.follow import follow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.launch.base import Job, Launcher
    from automl.skill.model import Skill, SkillAction
    from automl.storage.paths import ActionPaths
    from automl.study.trial import Measurement

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_GRACE_S = 5.0


def options_here() -> ActionOptions:
    """Return options for this machine: its first GPU, if it has one, and all its CPUs."""
    machine = detect_machine()
    return ActionOptions(gpus=tuple(str(gpu.index) for gpu in machine.gpus[:1]), threads=machine.cpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """How an action ended.

    Attributes:
        key: ``evaluate-1``: name of its directory and key of its run in the record.
        action: The action.
        status: See `ActionStatus`.
        reason: For unavailable and failed.
        trial: The trial whose checkpoint was used; None if none was found, or for a file from outside the study.
        epoch: Its epoch.
        checkpoint: Relative to the study directory; absolute for a file from outside.
        values: Metric name -> value, finite.
        files: What it wrote, relative to the study directory, without spec, log and status.
        elapsed_s: Seconds it took.
        directory: Relative to the study directory.
    """

    key: str
    action: str
    status: ActionStatus
    reason: str = ""
    trial: int | None = None
    epoch: int | None = None
    checkpoint: str | None = None
    values: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    files: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    directory: str = ""


def run_recorded(root: Path, action: str, launcher: Launcher, options: ActionOptions) -> ActionResult:
    """Run an action, append its end to the event log and send it to MLflow; a server that is down costs a warning only.

    Raises:
        ConfigurationError: see `run_action`.
    """
    study = StudyPaths(root)
    record = read_plan(study).mlflow
    result = run_action(root, action, launcher, options)
    if result.status is not ActionStatus.UNAVAILABLE:
        upgrade_log(study)
        log = EventLog(study.events_file)
        log.append(ActionEnded(key=result.key, result=to_json(result)))
        log.close()
        MlflowTracker(record.tracking_uri, record.experiment, study).close()
    return result


@only_for_user()
def run_action(root: Path, action: str, launcher: Launcher, options: ActionOptions | None = None) -> ActionResult:
    """Run an action of the skill on the best checkpoint, or on the one that the options name.

    Returns:
        The result, also written to ``result.json`` in the action's directory.

    Raises:
        ConfigurationError: the folder is no study directory, or data and overrides do not fit the action; a skill
            without the action, a study without a checkpoint, or data that are not there, are results with status
            unavailable.
        LaunchError: something else took the place of the study, or of a folder in it, while the action ran.
    """
    options = options or ActionOptions()
    study = StudyPaths(root)
    plan = read_plan(study)
    skill = plan.load_skill()
    keys = (f"{action}-{number}" for number in count(1))
    key = next(key for key in keys if not _is_taken(study.action(key).root))
    paths, result = study.action(key), ActionResult(key=key, action=action, status=ActionStatus.UNAVAILABLE)
    if action not in skill.actions:
        listed = ", ".join(skill.actions)
        return replace(result, reason=f"the {skill.noun} {skill.name} has no action {action}; it has {listed}")
    try:
        chosen = (
            choose_checkpoint(root, skill.architecture.checkpoints, trial=options.trial, epoch=options.epoch)
            if options.checkpoint is None
            else ChosenCheckpoint(path=options.checkpoint)
        )
    except ConfigurationError as error:
        found = [f"{problem.where}: {problem.found}" for problem in error.problems[:1]]
        return replace(result, reason="".join(found) or error.headline)
    with _held(root):
        spec = action_spec(Spec(values=plan.spec), skill, action, chosen, paths.root, options)
        missing = missing_inputs(skill, action, spec)
        if missing:
            return replace(result, reason="; ".join(f"{problem.where}: found {problem.found}" for problem in missing))
        launch = action_launch(plan.launched, skill.actions[action], skill)
        started_s = time.monotonic()
        try:
            ready_launch(launch)
            request = _request(paths, f"{root.name}/{key}", skill.actions[action], spec, launch, options)
            status, reason, values = _run(request, paths, launcher, options.time_limit_s)
        except LaunchError as error:
            status, reason, values = ActionStatus.FAILED, error.headline, dict[str, float]()
        _keep_spec(paths, skill.actions[action], spec)
        result = replace(
            result,
            status=status,
            reason=reason,
            trial=chosen.trial,
            epoch=chosen.epoch,
            checkpoint=study.relative(chosen.path),
            values=values,
            files=tuple(study.relative(file) for file in paths.products()),
            elapsed_s=time.monotonic() - started_s,
            directory=study.relative(paths.root),
        )
        for text in (*refusals(paths.root), *set_aside(paths.result_file)):
            logger.warning("%s: %s", key, text)
        write_own(study, paths.result_file, result)
    return result


def _is_taken(folder: Path) -> bool:
    return folder.exists() or folder.is_symlink()


@contextmanager
def _held(root: Path) -> Iterator[None]:
    try:
        with held_study(root):
            yield
    except ReplacedFolderError as error:
        raise LaunchError(str(error)) from error


def action_launcher(root: Path, *, action: str = "", session: str | None = None) -> Launcher:
    """Return the launcher that a study's actions are started with: of the kind that its trials were.

    Args:
        root: The study directory.
        action: The action that may be forked from a preloaded trainer.
        session: Name of the preloaded trainer, which the trials of this process share; None starts each action cold.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    plan = read_plan(StudyPaths(root))
    kind = plan.launched.launcher
    is_warm = session is not None and kind is LauncherKind.WARM
    declared = plan.load_skill().actions.get(action) if is_warm else None
    if session is None or declared is None:
        return make_launcher(kind, plan.launched.plugin)
    program = example_command(declared.command)[0]
    launcher = WarmLauncher(session, program, log=StudyPaths(root).warm_server_log, inherited=dict(os.environ))
    launcher.start()
    return launcher


def action_launch(launch: LaunchPlan, action: SkillAction, skill: Skill) -> LaunchPlan:
    """Return how an action of a study is started: as its trials, but in the action's own image where it names one."""
    trained_in = launch.image if launch.image_source == OVERRIDE else skill.image
    return replace(launch, image=(action.image or trained_in) if launch.launcher.uses_image else None)


def _request(
    paths: ActionPaths, tag: str, action: SkillAction, spec: Spec, launch: LaunchPlan, options: ActionOptions
) -> LaunchRequest:
    config = paths.spec_file(action.config_format)
    write_spec(spec, action.config_format, config)
    return LaunchRequest(
        command=build_command(action.command, config),
        directory=paths.root,
        environment=trial_environment(os.environ, tag=tag, gpus=options.gpus, threads=options.threads),
        log=paths.log_file,
        tag=tag,
        gpus=options.gpus,
        image=launch.image,
        writable=(paths.root,),
        read_only=readable_paths(spec.values, launch.mounts, own=paths.root),
        options=launch.options,
        credentials=launch.credentials,
    )


def _keep_spec(paths: ActionPaths, action: SkillAction, spec: Spec) -> None:
    """Write the spec again where the action has removed it, with its folder or for something else."""
    file = paths.spec_file(action.config_format)
    set_aside(file)
    if not file.exists():
        make_folder(paths.root, below=paths.root.parents[1])
        write_spec(spec, action.config_format, file)


def _run(
    request: LaunchRequest, paths: ActionPaths, launcher: Launcher, limit_s: float | None
) -> tuple[ActionStatus, str, dict[str, float]]:
    """Run a command to its end.

    Raises:
        LaunchError: it could not be started.
    """
    with HeldLog(paths.log_file, paths.own_log) as log:
        return _follow(launcher.launch(request), paths, limit_s, log)


def _follow(
    job: Job, paths: ActionPaths, limit_s: float | None, log: HeldLog
) -> tuple[ActionStatus, str, dict[str, float]]:
    values: dict[str, float] = {}
    failure_line: Measurement | None = None
    deadline_s = time.monotonic() + (math.inf if limit_s is None else limit_s)
    status = StatusReader(paths.root)
    try:
        for measurement in follow(job, status, poll_s=_POLL_S, until=lambda: time.monotonic() > deadline_s):
            values |= measurement.values
            failure_line = measurement if measurement.is_failure else failure_line
        exit_status = job.poll()
    finally:
        job.kill(grace_s=_GRACE_S)
        if done := log.put_back(below=paths.root.parents[1]):
            logger.warning("%s: it removed what automl had written in its folder: %s", paths.root.name, ", ".join(done))
    if exit_status is None:
        return ActionStatus.FAILED, f"it was ended after its limit of {limit_s:g} s", values
    if exit_status:
        failure = classify(exit_status, read_tail(paths.log_file), failure_line, external_end=job.external_end)
        return ActionStatus.FAILED, failure.cause, values
    return (ActionStatus.MEASURED if values else ActionStatus.DONE), "", values
