"""Run an action of the skill on a checkpoint of a study: evaluate, inference, export, quantize.

The action gets the exact file, the shape and normalisation of its training, and a directory of its own:
`<study>/actions/<action>-<n>/`. A failure is a result, and is not raised.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError
from automl.handoff.action_spec import ActionOptions, action_spec
from automl.handoff.checkpoint_choice import ChosenCheckpoint, choose_checkpoint
from automl.launch.base import LaunchRequest
from automl.launch.choice import OVERRIDE, make_launcher, ready_launch
from automl.launch.command import build_command
from automl.launch.environment import trial_environment
from automl.launch.local import WarmLauncher
from automl.launch.mounts import readable_paths
from automl.readers.follow import follow
from automl.readers.status_file import StatusReader
from automl.skill.load import load_skill
from automl.spec.inputs import missing_inputs
from automl.spec.model import Spec
from automl.spec.write import write_spec
from automl.storage.documents import only_for_user, to_json, write_document
from automl.storage.event_log import EventLog
from automl.storage.legacy import upgrade_log
from automl.storage.paths import ActionPaths, StudyPaths
from automl.storage.plan_document import read_plan
from automl.study.evaluation import ActionStatus
from automl.study.events import ActionEnded
from automl.study.launch_plan import LauncherKind, LaunchPlan
from automl.tracking.mlflow.tracker import MlflowTracker
from automl.trial.failures import classify, read_tail

if TYPE_CHECKING:
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.launch.base import Job, Launcher
    from automl.skill.model import Skill, SkillAction
    from automl.study.trial import Measurement

_POLL_S = 0.1
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An action that is ready to start."""

    root: Path
    key: str
    action: SkillAction
    launch: LaunchPlan
    spec: Spec
    chosen: ChosenCheckpoint
    options: ActionOptions

    @property
    def paths(self) -> ActionPaths:
        return StudyPaths(self.root).action(self.key)

    @property
    def directory(self) -> Path:
        return self.paths.root


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

    Args:
        root: The study directory.
        action: Name of the action in the skill.
        launcher: Starts it.
        options: What the user chose.

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
    """Run an action on the best checkpoint, or on the trial and epoch that the options name.

    Args:
        root: The study directory.
        action: Name of the action in the skill.
        launcher: Starts it.
        options: What the user chose.

    Returns:
        The result, also written to ``result.json`` in the action's directory.

    Raises:
        ConfigurationError: the folder is no study directory, or data and overrides do not fit the action; a skill
            without the action, a study without a checkpoint, or data that are not there, are results with status
            unavailable.
    """
    options = options or ActionOptions()
    plan = read_plan(StudyPaths(root))
    skill = load_skill(plan.skill.root)
    key = _next_key(root, action)
    if action not in skill.actions:
        listed = ", ".join(skill.actions)
        return _unavailable(key, action, f"the skill {skill.name} has no action {action}; it has {listed}")
    try:
        chosen = _choose(root, skill.architecture.checkpoints, options)
    except ConfigurationError as error:
        return _unavailable(key, action, _found(error))
    spec = action_spec(Spec(values=plan.spec), skill, action, chosen, StudyPaths(root).action(key).root, options)
    missing = missing_inputs(skill, action, spec)
    if missing:
        return _unavailable(key, action, "; ".join(f"{problem.where}: found {problem.found}" for problem in missing))
    declared = skill.actions[action]
    prepared = _Prepared(
        root=root,
        key=key,
        action=declared,
        launch=action_launch(plan.launched, declared, skill),
        spec=spec,
        chosen=chosen,
        options=options,
    )
    result = _run(prepared, launcher)
    write_document(prepared.paths.result_file, result)
    return result


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
    if session is None or kind is not LauncherKind.WARM:
        return make_launcher(kind)
    declared = load_skill(plan.skill.root).actions.get(action)
    if declared is None:
        return make_launcher(kind)
    program = build_command(declared.command, root)[0]
    launcher = WarmLauncher(session, program, log=StudyPaths(root).warm_server_log, inherited=dict(os.environ))
    launcher.start()
    return launcher


def action_launch(launch: LaunchPlan, action: SkillAction, skill: Skill) -> LaunchPlan:
    """Return how an action of a study is started: as its trials, but in the action's own image where it names one."""
    trained_in = launch.image if launch.image_source == OVERRIDE else skill.image
    return replace(launch, image=(action.image or trained_in) if launch.launcher.uses_image else None)


def _run(prepared: _Prepared, launcher: Launcher) -> ActionResult:
    started_s = time.monotonic()
    try:
        ready_launch(prepared.launch)
        job = launcher.launch(_request(prepared))
    except LaunchError as error:
        status, reason, values = ActionStatus.FAILED, error.headline, dict[str, float]()
    else:
        status, reason, values = _follow(job, prepared)
    root = prepared.root
    return ActionResult(
        key=prepared.key,
        action=prepared.action.name,
        status=status,
        reason=reason,
        trial=prepared.chosen.trial,
        epoch=prepared.chosen.epoch,
        checkpoint=StudyPaths(root).relative(prepared.chosen.path),
        values=values,
        files=tuple(str(file.relative_to(root)) for file in prepared.paths.products()),
        elapsed_s=time.monotonic() - started_s,
        directory=str(prepared.directory.relative_to(root)),
    )


def _follow(job: Job, prepared: _Prepared) -> tuple[ActionStatus, str, dict[str, float]]:
    values: dict[str, float] = {}
    failure_line: Measurement | None = None
    limit_s = prepared.options.time_limit_s
    deadline_s = time.monotonic() + (math.inf if limit_s is None else limit_s)
    status = StatusReader(prepared.directory)
    try:
        for measurement in follow(job, status, poll_s=_POLL_S, until=lambda: time.monotonic() > deadline_s):
            values |= measurement.values
            failure_line = measurement if measurement.is_failure else failure_line
        is_late = job.poll() is None
    finally:
        job.kill(grace_s=_GRACE_S)
    if is_late:
        return ActionStatus.FAILED, f"it was ended after its limit of {limit_s:g} s", values
    exit_status = job.poll() or 0
    if exit_status:
        tail = read_tail(prepared.paths.log_file)
        failure = classify(exit_status, tail, failure_line, external_end=job.external_end)
        return ActionStatus.FAILED, failure.cause, values
    return (ActionStatus.MEASURED if values else ActionStatus.DONE), "", values


def _request(prepared: _Prepared) -> LaunchRequest:
    action, directory, options = prepared.action, prepared.directory, prepared.options
    config = prepared.paths.spec_file(action.config_format)
    write_spec(prepared.spec, action.config_format, config)
    tag = f"{prepared.root.name}/{prepared.key}"
    return LaunchRequest(
        command=build_command(action.command, config),
        directory=directory,
        environment=trial_environment(os.environ, tag=tag, gpus=options.gpus, threads=options.threads),
        log=prepared.paths.log_file,
        tag=tag,
        gpus=options.gpus,
        image=prepared.launch.image,
        writable=(directory,),
        read_only=readable_paths(prepared.spec.values, prepared.launch.mounts, own=directory),
        options=prepared.launch.options,
        credentials=prepared.launch.credentials,
    )


def _next_key(root: Path, action: str) -> str:
    keys = (f"{action}-{number}" for number in count(1))
    return next(key for key in keys if not StudyPaths(root).action(key).root.exists())


def _choose(root: Path, naming: CheckpointNaming, options: ActionOptions) -> ChosenCheckpoint:
    if options.checkpoint is not None:
        return ChosenCheckpoint(path=options.checkpoint, trial=None, epoch=None, assignment={})
    return choose_checkpoint(root, naming, trial=options.trial, epoch=options.epoch)


def _unavailable(key: str, action: str, reason: str) -> ActionResult:
    return ActionResult(key=key, action=action, status=ActionStatus.UNAVAILABLE, reason=reason)


def _found(error: ConfigurationError) -> str:
    return f"{error.problems[0].where}: {error.problems[0].found}" if error.problems else error.headline
