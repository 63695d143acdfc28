"""What is known of one architecture, as frozen data that `automl.architectures.load` reads from its file.

`schemas/architecture.schema.json` describes each attribute. A text that names parameters is a pattern of their paths.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automl.config_files import JsonValue

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MOST = 1e100  # its square is a float
_SEPARATORS = re.compile(r"[/_\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The metrics of a trainer."""

    source: str = ""
    default: str | None = None
    directions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def direction_of(self, metric: str) -> str | None:
        """Return the direction of a metric, however it is spelled; None where it is not known."""
        return next((direction for name, direction in self.directions.items() if same_metric(name, metric)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRule:
    """When the parameters of a pattern, or of some names, act."""

    parents: tuple[str, ...]
    path: str = ""
    names: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    def concerns(self, path: str) -> bool:
        """Return whether it is about a parameter."""
        is_meant = named(path, self.names) if self.names else matches(path, (self.path,))
        return is_meant and not named(path, self.unless)

    def admits(self, value: JsonValue) -> bool:
        """Return whether a parameter acts while its parent has a value."""
        is_listed = matches(str(value).lower(), [pattern.lower() for pattern in self.any_of or self.none_of])
        return is_listed if self.any_of else not is_listed


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRule:
    """Parameters that count epochs or steps of the run, and act only if they end before it does."""

    names: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRule:
    """A parameter that acts only after a milestone."""

    path: str
    parent: str
    any_of: tuple[str, ...]
    first: str
    unit: str


class Scale(StrEnum):
    """On which scale a parameter is searched."""

    LINEAR = "linear"
    LOG = "log"
    LOG_TO_ONE = "log_to_one"
    """Logarithmic in the distance to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Parameters that mean the same kind of thing and are searched alike; `schemas/architecture.schema.json`."""

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...] = ()
    at_least: float | None = None
    stays_near: bool = False
    scale: Scale = Scale.LINEAR
    below: float | None = None
    above: float | None = None
    low: float = -math.inf
    high: float = math.inf
    domain: tuple[float, float] = (-math.inf, math.inf)
    usual: tuple[float, ...] = ()
    off: tuple[float | None, ...] = ()
    multiples: tuple[int, ...] = ()
    powers: int | None = None
    unit: str = ""
    memory: float = 0.0
    time: float = 0.0
    together: float = 0.0
    of_options: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    measured_with: str = ""
    rank: int | None = None

    def cost(self, value: object) -> tuple[float, float] | None:
        """Return memory and time of a trial with a value, in units of its own; None where they are not known."""
        if self.of_options:
            return self.of_options.get(str(value))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
            return None
        return float(value) ** self.memory, float(value) ** self.time

    def holds(self, path: str, kind: str, value: object) -> bool:
        """Return whether a parameter of a type, with a value in the spec, belongs to it."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_near = self.at_least is None or (is_number and self.at_least <= value < 1)  # type: ignore[operator] # is_number
        is_outside = is_number and (value < self.domain[0] or value > self.domain[1])  # type: ignore[operator]
        if is_outside and value not in self.off:
            return False
        return (not self.types or kind in self.types) and is_near and named(path, self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRules:
    """What decides which parameters are searched."""

    families: tuple[Family, ...] = ()
    train_loss_terms: tuple[str, ...] = ()
    after_output: tuple[str, ...] = ()
    during_training: tuple[str, ...] = ()
    recording: tuple[str, ...] = ()
    stopping: tuple[str, ...] = ()
    fixed_by_data: tuple[str, ...] = ()
    training_only: tuple[str, ...] = ()
    action_blocks: tuple[str, ...] = ()
    conditions: tuple[ConditionRule, ...] = ()
    milestones: tuple[MilestoneRule, ...] = ()
    after_milestones: tuple[str, ...] = ()
    first_milestones: tuple[str, ...] = ()
    run_length: tuple[LengthRule, ...] = ()
    unread: tuple[str, ...] = ()
    advised: tuple[str, ...] = ()
    evaluation_only: tuple[str, ...] = ()
    loss_terms: tuple[str, ...] = ()
    throughput: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    math_cond: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecKeys:
    """Parameter paths with a known meaning; of several, the first that a spec has counts."""

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

    Folders that match one of ``state_folders`` name a step; their epoch stands in the ``trainer_state.json`` in them.
    """

    epoch_names: tuple[str, ...] = ()
    first_epoch: int = 0
    best_names: tuple[str, ...] = ()
    is_folder: bool = False
    state_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedValue:
    """Where an action finds a value of the training's spec."""

    path: str
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRules:
    """What an action on a checkpoint must share with the training that made it."""

    trained_with: tuple[str, ...] = ()
    per_split: tuple[str, ...] = ()
    inherited: Mapping[str, Mapping[str, TrainedValue]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """What a trained model answers: ``kind`` and ``unit`` by the value of a parameter."""

    path: str = ""
    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Values of a published training, and for which specs they were published."""

    source: str
    values: Mapping[str, bool | float | str]
    given: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that is known of an architecture beyond its schemas."""

    metrics: Metrics = field(default_factory=Metrics)
    parameters: ParameterRules = field(default_factory=ParameterRules)
    keys: SpecKeys = field(default_factory=SpecKeys)
    checkpoints: CheckpointNaming = field(default_factory=CheckpointNaming)
    actions: ActionRules = field(default_factory=ActionRules)
    recipes: tuple[Recipe, ...] = ()
    model_loader: str | None = None
    model_output: ModelOutput = field(default_factory=ModelOutput)
    data_check: str | None = None


def named(path: str, patterns: Iterable[str]) -> bool:
    """Return whether the words at the end of a path are those of one of the patterns.

    ``lr`` is any parameter with that word in its last name (``train.lr_backbone``, not ``model.color``),
    ``optim.lr`` one inside a block with the word ``optim``. ``^val`` is only the first word of a name. ``*`` stands for
    any name or for the rest of a word, ``**`` for any number of names.
    """
    words = _words(path)
    return any(_compiled_names(pattern).fullmatch(words) for pattern in patterns)


@functools.lru_cache(maxsize=4096)
def _words(path: str) -> str:
    # train.optim.lrScale -> ._train_._optim_._lr_scale_
    text = _CAPITAL.sub("_", path.replace("[", "_[")).replace("-", "_").lower()
    return "".join(f"._{name}_" for name in text.split("."))


@functools.lru_cache(maxsize=1024)
def _compiled_names(pattern: str) -> re.Pattern[str]:
    parts = []
    for name in pattern.split("."):
        word = re.escape(name.removeprefix("^").replace("[", "_[")).replace(r"\*", "[^.]*")
        place = "" if name.startswith("^") else "[^.]*"
        parts.append(r"(?:\.[^.]+)*" if name == "**" else r"\.[^.]+" if name == "*" else rf"\.(?={place}_{word}_)[^.]+")
    return re.compile(r"(?:\.[^.]+)*" + "".join(parts))


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
