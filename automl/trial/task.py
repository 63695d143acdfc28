"""What one attempt of a trial needs, in one value that can be sent to another process or node.

A task holds no open file, no callable and no reference to the study: the study decides, the task says. Its collections
are plain dictionaries and tuples, because read-only mapping views cannot be pickled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.skill.model import ConfigFormat
from automl.storage.paths import AttemptPaths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.skill.model import JsonValue
    from automl.space.values import Scalar
    from automl.study.causes import Origin
    from automl.study.model import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """One attempt of one trial.

    Attributes:
        number: The trial's number in its study.
        assignment: Parameter path -> value; already part of ``spec``.
        study_directory: Absolute; paths in the result are relative to it.
        directory: Absolute directory of this attempt; made when it does not exist.
        command: The skill's command template, with one literal ``{config_path}``.
        spec: The complete spec, output directory included; written as it is.
        objective_metric: Name of the leading objective.
        direction: Of the leading objective.
        tag: Identifies study, trial and attempt, e.g. ``demo-8f3a/0007/1``.
        naming: How the trainer names its checkpoints.
        attempt: One-based.
        config_format: Format of the spec file.
        watched: Training losses whose first non-finite value ends the trial.
        max_epochs: Epochs of a full run, where known.
        gpus: Devices of the trial, as CUDA_VISIBLE_DEVICES entries; empty for none.
        threads: CPU threads of the trainer, at least 1.
        metric_file: A JSON file below ``directory`` that holds the metrics, where the skill names one.
        silence_limit_s: The trial is ended when nothing was written for so long; None for no limit.
        time_limit_s: The trial is ended after so many seconds; None for no limit.
        parent: Number of the trial whose checkpoint it starts from.
        earlier: Directories of the attempts that this one continues, the oldest first.
        first_epoch: Epoch this attempt begins with; what ``earlier`` measured before it counts.
        earlier_s: Seconds that the trial's earlier attempts took.
        changes: What differs from ``assignment`` because memory ran out; already part of ``spec``.
        remark: Said of the attempt in its result.
        explosion: A training loss that explodes ends the trial too.
        image: Container image, for launchers that use one.
        read_only: Host paths the trainer reads, for launchers that mount.
        credentials: Names of variables that a container gets, where they are set.
        environment: Further environment variables, e.g. the rendezvous of a trial over several nodes.
        options: Launcher options, handed on in the request.
        replicate_of: Number of the trial that it repeats with another seed; None for a trial of the search.
        seed: The trainer's seed of a replicate; already part of ``spec``.
        origin: Where the assignment comes from.
        wanted: Names of the other metrics that the study looks at, as it spells them.
        evaluate_with: Command that measures more once the training has ended; None for none.
        evaluate_limit_s: It is ended after so many seconds.
        grace_s: Seconds between SIGTERM and SIGKILL when a healthy trial is stopped.
    """

    number: int
    assignment: Mapping[str, Scalar]
    study_directory: Path
    directory: Path
    command: str
    spec: dict[str, JsonValue]
    objective_metric: str
    direction: Direction
    tag: str
    naming: CheckpointNaming
    attempt: int = 1
    config_format: ConfigFormat = ConfigFormat.YAML
    watched: tuple[str, ...] = ("train_loss", "training_loss", "loss")
    max_epochs: int | None = None
    gpus: tuple[str, ...] = ()
    threads: int = 1
    metric_file: str | None = None
    silence_limit_s: float | None = None
    time_limit_s: float | None = None
    parent: int | None = None
    earlier: tuple[Path, ...] = ()
    first_epoch: int = 0
    earlier_s: float = 0.0
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    remark: str = ""
    explosion: bool = True
    image: str | None = None
    read_only: tuple[Path, ...] = ()
    credentials: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    replicate_of: int | None = None
    seed: int | None = None
    origin: Origin | None = None
    wanted: tuple[str, ...] = ()
    evaluate_with: str | None = None
    evaluate_limit_s: float = 600.0
    grace_s: float = 2.0

    @property
    def files(self) -> AttemptPaths:
        """The files of this attempt."""
        return AttemptPaths(self.directory)

    @property
    def spec_file(self) -> Path:
        """Where the trainer reads its spec."""
        return self.files.spec_file(self.config_format)
