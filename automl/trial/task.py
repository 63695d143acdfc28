"""What one attempt of a trial needs, in one value that can be sent to another process or node.

A task holds no open file, no callable and no reference to the study. Its collections are plain dictionaries and
tuples, because read-only mapping views cannot be pickled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from automl.skill.model import ConfigFormat
from automl.storage.paths import AttemptPaths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.skill.model import JsonValue
    from automl.study.model import Objective
    from automl.study.trial import Proposal
    from automl.trial.attempts import Start


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCommand:
    """What is started for an attempt.

    Attributes:
        template: The skill's command template, with one literal ``{config_path}``.
        spec: The complete spec, output directory included; written as it is.
        tag: Identifies study, trial and attempt, e.g. ``demo-8f3a/0007/1``.
        config_format: Format of the spec file.
        gpus: Devices of the trial, as CUDA_VISIBLE_DEVICES entries; empty for none.
        threads: CPU threads of the trainer, at least 1.
        image: Container image, for launchers that use one.
        read_only: Host paths the trainer reads, for launchers that mount.
        credentials: Names of variables that a container gets, where they are set.
        environment: Further environment variables, e.g. the rendezvous of a trial over several nodes.
        options: Launcher options.
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
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialWatch:
    """What is read of a trial while it runs.

    Attributes:
        objective: The primary objective.
        naming: How the trainer names its checkpoints.
        watched: Training losses whose first non-finite value ends the trial.
        explosion: A training loss that explodes ends the trial too.
        max_epochs: Epochs of a full run, where known.
        metric_file: A JSON file below the attempt's directory that holds the metrics, where the skill names one.
        wanted: Names of the other metrics that the study looks at, as it spells them.
    """

    objective: Objective
    naming: CheckpointNaming
    watched: tuple[str, ...] = ("train_loss", "training_loss", "loss")
    explosion: bool = True
    max_epochs: int | None = None
    metric_file: str | None = None
    wanted: tuple[str, ...] = ()


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
    evaluate_s: float = 600.0
    grace_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """One attempt of one trial.

    Attributes:
        proposal: Number, assignment and origin of the trial; the assignment is already part of the spec.
        start: How the attempt starts; its changes are already part of the spec.
        study_directory: Absolute; paths in the result are relative to it.
        directory: Absolute directory of this attempt; made when it does not exist.
        command: What is started.
        watch: What is read while it runs.
        limits: How long it may take.
        evaluate_with: Command that measures more once the training has ended; None for none.
    """

    proposal: Proposal
    start: Start
    study_directory: Path
    directory: Path
    command: TrialCommand
    watch: TrialWatch
    limits: TrialLimits = field(default_factory=TrialLimits)
    evaluate_with: str | None = None

    @property
    def number(self) -> int:
        """The trial's number in its study."""
        return self.proposal.number

    @property
    def files(self) -> AttemptPaths:
        """The files of this attempt."""
        return AttemptPaths(self.directory)

    @property
    def spec_file(self) -> Path:
        """Where the trainer reads its spec."""
        return self.files.spec_file(self.command.config_format)

    def on(self, gpus: tuple[str, ...]) -> TrialTask:
        """Return the same attempt on other devices."""
        return replace(self, command=replace(self.command, gpus=gpus))
