"""The spec of an action on a checkpoint: the action's template, what the training decided, what the user chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.handoff.inherit import check_overrides_fit, inherited_values
from automl.machine import detect_machine
from automl.skill.model import ConfigFormat
from automl.spec.build import build_spec
from automl.spec.complete import ActionRun, complete_spec
from automl.spec.overrides import flatten
from automl.spec.write import write_spec
from automl.storage.paths import ActionPaths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.handoff.checkpoint_choice import ChosenCheckpoint
    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions:
    """What a user may choose.

    Attributes:
        trial: A trial's number; None for the best checkpoint of the study.
        epoch: Zero-based epoch of the trial; None for its best one.
        data: Split -> path, e.g. ``test`` for evaluate.
        overrides: Parameter path -> value.
        checkpoint: A file from outside the study in place of a trial's.
        gpus: Devices, as CUDA_VISIBLE_DEVICES entries; empty for none.
        threads: CPU threads.
        time_limit_s: It is ended, and has failed, after so long; None for no limit.
    """

    trial: int | None = None
    epoch: int | None = None
    data: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    overrides: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    checkpoint: Path | None = None
    gpus: tuple[str, ...] = ()
    threads: int = 1
    time_limit_s: float | None = None


def options_here() -> ActionOptions:
    """Return options for this machine: its first GPU, if it has one, and all its CPUs."""
    machine = detect_machine()
    return ActionOptions(gpus=tuple(str(gpu.index) for gpu in machine.gpus[:1]), threads=machine.cpus)


def action_spec(
    merged: Spec, skill: Skill, action: str, chosen: ChosenCheckpoint, directory: Path, options: ActionOptions
) -> Spec:
    """Return the complete spec of an action on a checkpoint.

    Args:
        merged: The study's merged spec, without the values of a trial.
        skill: The skill.
        action: One of its actions.
        chosen: The checkpoint and the values of its trial.
        directory: The action's own directory; a file in it shows what was taken over from the training.
        options: What the user chose.

    Raises:
        ConfigurationError: data or overrides do not fit the action, or describe another model than the checkpoint's.
    """
    training = merged.with_values(dict(chosen.assignment), origin="trial")
    check_overrides_fit(training, flatten(options.overrides), skill, action)
    bare = build_spec(skill, action)
    # The user's data and overrides are checked against, and laid over, a template with the values of the training.
    template = ActionPaths(directory).inherited_spec
    inherited = bare.with_values(inherited_values(training, bare, skill, action), origin="training")
    write_spec(inherited, ConfigFormat.YAML, template)
    spec = build_spec(skill, action, data=options.data, overrides=options.overrides, template=template)
    # The devices come from the environment; the GPU key of a skill belongs to its training.
    run = ActionRun(results_dir=directory, parent_checkpoint=chosen.path)
    return complete_spec(spec, skill, action, run)
