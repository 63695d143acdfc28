"""What is known of one architecture, as frozen data. `automl.architectures.load` reads it from its file.

The keys of the files have the names of these attributes; `schemas/architecture.schema.json` describes each for the
people who write such a file.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from fnmatch import translate
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automl.config_files import JsonValue

_SEPARATORS = re.compile(r"[/_\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The metrics of a trainer.

    Attributes:
        source: Where the directions come from; shown in plans.
        default: Metric of a train run; None where none is known.
        directions: Metric name -> ``maximize`` or ``minimize``.
    """

    source: str = ""
    default: str | None = None
    directions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def direction_of(self, metric: str) -> str | None:
        """Return the direction of a metric, however it is spelled; None where it is not known."""
        return next((direction for name, direction in self.directions.items() if same_metric(name, metric)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRule:
    """When the parameters of a pattern act.

    Attributes:
        path: Pattern of parameter paths.
        parents: Parameter paths, a leading dot for the same block; the first that the spec has counts.
        any_of: Patterns of values under which the parameter acts; empty where ``none_of`` is given.
        none_of: Patterns of values under which it does not.
    """

    path: str
    parents: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    def admits(self, value: JsonValue) -> bool:
        """Return whether a parameter acts while its parent has a value."""
        text = str(value).lower()
        if self.any_of:
            return matches(text, tuple(pattern.lower() for pattern in self.any_of))
        return not matches(text, tuple(pattern.lower() for pattern in self.none_of))


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRule:
    """A parameter that acts only after a milestone.

    Attributes:
        path: Pattern of parameter paths.
        parent: The parameter that decides whether milestones count, e.g. the schedule.
        any_of: Patterns of its values under which they do.
        first: Parameter path of the milestones, a number or a list of which the smallest counts.
        unit: ``epoch`` or ``step``.
    """

    path: str
    parent: str
    any_of: tuple[str, ...]
    first: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRules:
    """What decides which parameters are searched. Each text is a pattern of parameter paths.

    Attributes:
        action_blocks: Names of the spec's blocks that belong to one action, e.g. ``evaluate``.
        conditions: When parameters act; rules of this architecture first.
        milestones: Parameters that act only after a milestone.
        unread: Parameters that the container's trainer does not read.
        advised: The only parameters that the skill's text advises to search; empty where it advises nothing.
        evaluation_only: Parameters that change how a run is evaluated.
        loss_terms: Parameters of the loss itself.
        throughput: Parameters that change only the speed.
        shape: Parameters that pretrained weights fix.
        math_cond: Pattern -> condition in the notation of the train schemas.
    """

    action_blocks: tuple[str, ...] = ()
    conditions: tuple[ConditionRule, ...] = ()
    milestones: tuple[MilestoneRule, ...] = ()
    unread: tuple[str, ...] = ()
    advised: tuple[str, ...] = ()
    evaluation_only: tuple[str, ...] = ()
    loss_terms: tuple[str, ...] = ()
    throughput: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    math_cond: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecKeys:
    """Parameter paths with a known meaning; of several, the first that a spec has counts.

    Attributes:
        epochs: Number of epochs.
        seed: The trainer's seed.
        batch_size: Samples of a batch.
        accumulate: Batches of one optimiser step.
        checkpoint_interval: Epochs between two checkpoints.
        validation_interval: Epochs between two validations.
        dry_run: A flag that ends the training after one step.
    """

    epochs: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()
    batch_size: tuple[str, ...] = ()
    accumulate: tuple[str, ...] = ()
    checkpoint_interval: tuple[str, ...] = ()
    validation_interval: tuple[str, ...] = ()
    dry_run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointNaming:
    """How a trainer names its checkpoints. It is part of a trial's task: plain values, which can be pickled.

    Attributes:
        epoch_names: Regular expressions over the whole name, with a group ``epoch`` and optionally ``step``.
        first_epoch: Number of the first epoch in the names, 0 or 1.
        best_names: Regular expressions for the files of the epoch that the trainer itself found best.
        is_folder: A checkpoint is a folder.
    """

    epoch_names: tuple[str, ...] = ()
    first_epoch: int = 0
    best_names: tuple[str, ...] = ()
    is_folder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedValue:
    """Where an action finds a value of the training's spec.

    Attributes:
        path: Parameter path in the training's spec.
        item: Index of the element to take where the value is a list; None for the value itself.
    """

    path: str
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRules:
    """What an action on a checkpoint must share with the training that made it.

    Attributes:
        trained_with: Patterns of parameters that belong to the checkpoint and cannot be overridden.
        per_split: Patterns of parameters that each data split has for itself.
        inherited: Action -> its parameter path -> where the value lies in the training's spec.
    """

    trained_with: tuple[str, ...] = ()
    per_split: tuple[str, ...] = ()
    inherited: Mapping[str, Mapping[str, TrainedValue]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that is known of an architecture beyond its schemas.

    Attributes:
        metrics: What runs are evaluated by.
        parameters: Which parameters are searched.
        keys: Parameter paths with a known meaning.
        checkpoints: Names of checkpoints.
        actions: What actions share with the training.
        model_loader: Module with MLflow's ``_load_pyfunc(path)``; None where the model is recorded as plain files.
        data_check: Command that checks a spec's data, with ``{config_path}``; None where the trainer has none.
    """

    metrics: Metrics = field(default_factory=Metrics)
    parameters: ParameterRules = field(default_factory=ParameterRules)
    keys: SpecKeys = field(default_factory=SpecKeys)
    checkpoints: CheckpointNaming = field(default_factory=CheckpointNaming)
    actions: ActionRules = field(default_factory=ActionRules)
    model_loader: str | None = None
    data_check: str | None = None


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Return whether a text matches one of the patterns; only ``*`` and ``?`` are special, brackets are indices."""
    return any(_compiled(pattern).match(text) for pattern in patterns)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")))


def same_metric(first: str, second: str) -> bool:
    """Return whether two names mean one metric: separators and capitals do not count."""
    first, second = (_SEPARATORS.sub("_", name.strip().lower()) for name in (first, second))
    return first == second
