"""What is read of a trial while it runs, and afterwards of what it left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.plugins import Plugin, PluginKind

if TYPE_CHECKING:
    from automl.architectures.model import CheckpointNaming
    from automl.study.model import StudyPlan
    from automl.study.objectives import Objective


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
        first_epoch: Number of the trainer's first epoch where the study says it; None where it has to be recognised.
        readers: Plug-ins that read formats of files.
        is_function: Besides those formats only what `automl.report` writes is read (see `Program`).
    """

    objective: Objective
    naming: CheckpointNaming
    watched: tuple[str, ...] = ("train_loss", "training_loss", "loss")
    explosion: bool = True
    max_epochs: int | None = None
    metric_file: str | None = None
    wanted: tuple[str, ...] = ()
    first_epoch: int | None = None
    readers: tuple[Plugin, ...] = ()
    is_function: bool = False


def watch_of(plan: StudyPlan) -> TrialWatch:
    """Return what is read of the trials of a study."""
    action = plan.skill.actions[plan.action]
    return TrialWatch(
        objective=plan.objective,
        naming=plan.skill.architecture.checkpoints,
        explosion=plan.options.get("explosion") is not False,
        max_epochs=plan.max_epochs,
        metric_file=action.metric_file,
        wanted=plan.wanted_metrics[1:],
        first_epoch=None if action.program is None else action.program.first_epoch,
        readers=tuple(plugin for plugin in plan.plugins if plugin.kind is PluginKind.READERS),
        is_function=action.program is not None and action.program.is_function,
    )
