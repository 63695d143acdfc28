"""What one attempt of a trial needs, in one value that can be sent to another process or node, and what it launches.

A task holds no open file, no callable and no reference to the study. Its collections are plain dictionaries and
tuples, because read-only mapping views cannot be pickled.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.launch.base import LaunchRequest
from automl.launch.command import (
    CONFIG_TOKEN,
    TRIAL_DIR_VARIABLE,
    build_command,
    fill_command,
    trial_environment,
)
from automl.launch.mounts import readable_paths
from automl.skill.model import ConfigFormat, SlotKind
from automl.spec.complete import ActionRun, complete_spec
from automl.spec.model import iterate_leaves
from automl.storage.paths import AttemptPaths
from automl.trial.watch import TrialWatch, watch_of
from automl.trial.working_folder import ShownFolder, places_of, shown_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.spec.model import Spec
    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.trial import Measurement, Proposal
    from automl.trial.attempts import Start

EVALUATE_LIMIT_S = 600.0
"""What `--evaluate-with` may take for one trial, unless the option ``evaluate_limit_s`` says otherwise."""

_WORKER_KEYS = {"workers", "num_workers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCommand:
    """What is started for an attempt; what is not named here is as in `LaunchRequest`.

    Attributes:
        template: The skill's command template, with one literal ``{config_path}``, or the places of a program.
        places: Of a program: place in the template -> what stands there.
        shown: Of a program: the user's folder, which a trial sees as its working folder, and names that it does not.
        spec: The complete spec, output directory included; written as it is.
        threads: CPU threads of the trainer, at least 1.
    """

    template: str
    spec: dict[str, JsonValue]
    tag: str
    config_format: ConfigFormat = ConfigFormat.YAML
    gpus: tuple[str, ...] = ()
    threads: int = 1
    image: str | None = None
    read_only: tuple[Path, ...] = ()
    credentials: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    shown: ShownFolder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLimits:
    """How long a trial may take.

    Attributes:
        stall_s: The trial is ended when nothing was written for so long; None for no limit.
        trial_s: The trial is ended after so many seconds; None for no limit.
        evaluate_s: The command that measures more is ended after so many seconds.
        grace_s: Seconds between SIGTERM and SIGKILL when a healthy trial is stopped.
    """

    stall_s: float | None = None
    trial_s: float | None = None
    evaluate_s: float = EVALUATE_LIMIT_S
    grace_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """One attempt of one trial.

    Attributes:
        proposal: The trial; its assignment is already part of the spec.
        start: How the attempt starts; its changes are already part of the spec.
        study_directory: Absolute; paths in the result are relative to it.
        directory: Absolute directory of this attempt; made when it does not exist.
        evaluate_with: Command that measures more once the training has ended; None for none.
        measured: What the log has of the epochs that earlier attempts measured; it counts more than their status files.
    """

    proposal: Proposal
    start: Start
    study_directory: Path
    directory: Path
    command: TrialCommand
    watch: TrialWatch
    limits: TrialLimits = field(default_factory=TrialLimits)
    evaluate_with: str | None = None
    measured: tuple[Measurement, ...] = ()

    @property
    def number(self) -> int:
        """The trial's number in its study."""
        return self.proposal.number

    @property
    def files(self) -> AttemptPaths:
        """The files of this attempt."""
        return AttemptPaths(self.directory)

    @property
    def working_folder(self) -> Path:
        """Where the command runs."""
        return self.directory if self.command.shown is None else self.files.work

    @property
    def spec_file(self) -> Path:
        """Where the trainer reads its spec."""
        return self.files.spec_file(self.command.config_format)

    def on(self, gpus: tuple[str, ...]) -> TrialTask:
        """Return the same attempt on other devices."""
        return replace(self, command=replace(self.command, gpus=gpus))


def study_tag(plan: StudyPlan, directory: Path) -> str:
    """Return the prefix of the tags of a study's trials; the same after a resume, another for another directory."""
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:8]
    name = "".join(character if character.isalnum() or character in "-_" else "-" for character in plan.name)
    return f"{name}-{digest}"


def build_task(plan: StudyPlan, directory: StudyPaths, proposal: Proposal, start: Start) -> TrialTask:
    """Return everything that one attempt of a trial needs.

    Raises:
        ConfigurationError: a key of the skill leads through a value of the spec.
    """
    action, launch = plan.skill.actions[plan.action], plan.launch
    folder = directory.attempt(proposal.number, start.attempt).root
    values = {**proposal.assignment, **start.changes}
    run = ActionRun(results_dir=folder, assignment=values, resume_checkpoint=start.checkpoint)
    spec = complete_spec(plan.spec, plan.skill, plan.action, run)
    if plan.seed_key is not None and proposal.seed is not None:
        spec = spec.with_values({plan.seed_key: proposal.seed}, origin="replicate")
    folders: dict[str, JsonValue] = {slot.key: str(folder) for slot in action.outputs if slot.kind is SlotKind.FOLDER}
    spec = spec.with_values(_resource_values(plan), origin="resources").with_values(folders, origin="output")
    return TrialTask(
        proposal=replace(proposal, assignment=dict(proposal.assignment)),
        start=start,
        study_directory=directory.root,
        directory=folder,
        command=TrialCommand(
            template=action.command,
            spec=spec.values,
            tag=f"{study_tag(plan, directory.root)}/{proposal.number:04d}/{start.attempt}",
            config_format=action.config_format,
            threads=plan.resources.threads_per_trial,
            image=launch.image,
            read_only=_read_only(plan, spec, folder) if launch.launcher.uses_image else (),
            credentials=launch.credentials,
            options=dict(launch.options),
            places=places_of(action.program, spec, run),
            shown=shown_folder(action.program),
        ),
        watch=watch_of(plan),
        limits=TrialLimits(
            stall_s=_seconds(plan.options, "silence_limit_s"),
            trial_s=_seconds(plan.options, "trial_time_limit_s"),
            evaluate_s=_seconds(plan.options, "evaluate_limit_s") or EVALUATE_LIMIT_S,
        ),
        evaluate_with=plan.evaluate_with,
    )


def launch_request(task: TrialTask) -> LaunchRequest:
    """Return what is started for an attempt, once its directory and its spec are there.

    Raises:
        LaunchError: the command cannot be built.
    """
    command = task.command
    is_program, config = command.shown is not None, str(task.spec_file)
    filled = fill_command(command.template, {CONFIG_TOKEN: config, **command.places}) if is_program else ()
    environment = trial_environment(
        os.environ,
        tag=command.tag,
        gpus=command.gpus,
        threads=command.threads,
        extra={TRIAL_DIR_VARIABLE: str(task.directory)},
        is_own=not is_program,
    )
    return LaunchRequest(
        command=filled or build_command(command.template, task.spec_file),
        directory=task.working_folder,
        environment=environment,
        log=task.files.log_file,
        tag=command.tag,
        gpus=command.gpus,
        image=command.image,
        read_only=command.read_only,
        writable=(task.directory,),
        options=command.options,
        credentials=command.credentials,
    )


def _read_only(plan: StudyPlan, spec: Spec, folder: Path) -> tuple[Path, ...]:
    program = plan.skill.actions[plan.action].program
    further = () if program is None else (str(program.folder),)
    return readable_paths(spec.values, (*plan.launch.mounts, *further), own=folder)


def _resource_values(plan: StudyPlan) -> dict[str, JsonValue]:
    """Return the GPU and node keys of the spec: the devices a trial sees count from 0 whatever they are outside."""
    gpus = math.ceil(plan.resources.gpus_per_trial)
    values: dict[str, JsonValue] = {}
    gpu_key = plan.skill.gpu_spec_key
    if gpu_key is not None and gpus > 0:
        values[gpu_key] = gpus
        ids_key = f"{gpu_key.rpartition('.')[0]}.gpu_ids".lstrip(".")
        if plan.spec.has(ids_key):
            values[ids_key] = list(range(gpus))
    node_key = plan.skill.node_spec_key
    if node_key is not None and plan.resources.nodes_per_trial > 1:
        values[node_key] = plan.resources.nodes_per_trial
    return values if plan.skill.is_open else values | _loader_workers(plan)


def _loader_workers(plan: StudyPlan) -> dict[str, JsonValue]:
    """Return the numbers of loading processes that exceed a trial's share of the CPUs, lowered to it.

    Each process of a trial, one per GPU, has its own. What the user or the search has set stays.
    """
    processes = max(1, math.ceil(plan.resources.gpus_per_trial))
    share = max(1, int(plan.resources.cpus_per_trial / processes))
    searched = set(plan.space.paths)
    return {
        path: share
        for path, value in iterate_leaves(plan.spec.values)
        if path.rpartition(".")[2] in _WORKER_KEYS
        and isinstance(value, int)
        and not isinstance(value, bool)
        and value > share
        and path not in searched
        and plan.spec.origins.get(path) not in {"override", "data"}
    }


def _seconds(options: Mapping[str, JsonValue], name: str) -> float | None:
    value = options.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
