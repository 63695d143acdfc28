"""The spec of an action on a checkpoint: the action's template, what the training decided, what the user chose.

An action's own template knows nothing of the study. Every value outside the sections of actions that both specs have
is taken from the training; a test or inference split without its own values gets those of the validation split, under
which the checkpoint was found to be good. An override that would change the model under the checkpoint is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.errors import ConfigurationError, Problem
from automl.skill.model import ConfigFormat
from automl.spec.build import build_spec, override_problems
from automl.spec.complete import ActionRun, complete_spec
from automl.spec.model import iterate_leaves
from automl.spec.overrides import flatten
from automl.spec.typed import typed_values
from automl.spec.write import write_spec
from automl.storage.paths import ActionPaths, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.handoff.best import ChosenCheckpoint
    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec

_SPLITS = re.compile(r"(?P<section>.*\b)(?:test|infer|eval|inference)_dataset\.(?P<key>.+)")


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


def action_spec(
    merged: Spec, skill: Skill, action: str, chosen: ChosenCheckpoint, directory: Path, options: ActionOptions
) -> Spec:
    """Return the complete spec of an action of a skill on a checkpoint of a study.

    The study's merged spec has no values of a trial; a file in the action's directory shows what was taken over from
    the training.

    Raises:
        ConfigurationError: data or overrides do not fit the action, or describe another model than the checkpoint's.
    """
    training = merged.with_values(dict(chosen.assignment), origin="trial")
    if problems := override_problems(skill, action, options.overrides):
        raise ConfigurationError.from_problems(problems, subject="the overrides")
    bare = build_spec(skill, action)
    overrides = typed_values(flatten(options.overrides), training, None)
    check_overrides_fit(training, overrides, skill, action)
    # The user's data and overrides are checked against, and laid over, a template with the values of the training.
    template = ActionPaths(directory).inherited_spec
    inherited = bare.with_values(inherited_values(training, bare, skill, action), origin="training")
    make_folder(directory, below=directory.parents[1])
    write_spec(inherited, ConfigFormat.YAML, template)
    spec = build_spec(skill, action, data=options.data, overrides=overrides, template=template)
    # The devices come from the environment; the GPU key of a skill belongs to its training.
    return complete_spec(spec, skill, action, ActionRun(results_dir=directory, parent_checkpoint=chosen.path))


def inherited_values(training: Spec, action: Spec, skill: Skill, name: str) -> dict[str, JsonValue]:
    """Return parameter path -> value that the spec of the action ``name`` takes over from the training."""
    sections, per_split = {*skill.actions, "results_dir"}, skill.architecture.actions.per_split
    values: dict[str, JsonValue] = {}
    for path, own in iterate_leaves(action.values):
        if path.partition(".")[0] in sections:
            continue
        if training.has(path) and not _is_blank(training.get(path)):
            values[path] = training.get(path)
        elif (source := _in_validation(path)) and training.has(source) and not matches(path, per_split):
            values[path] = training.get(source)
        elif training.has(path):
            values[path] = own
    return values | _renamed(training, skill, name)


def check_overrides_fit(training: Spec, overrides: Mapping[str, JsonValue], skill: Skill, name: str) -> None:
    """Refuse flat overrides that describe another model, other sizes or another normalisation than the checkpoint's.

    Raises:
        ConfigurationError: with every such override.
    """
    renamed, problems = _renamed(training, skill, name), []
    for path, value in overrides.items():
        source = _in_validation(path) or path
        trained = renamed.get(path, training.get(source) if training.has(source) else value)
        if trained != value and matches(path, skill.architecture.actions.trained_with):
            expected = f"{trained!r}, with which the checkpoint was trained"
            fix = "leave it out; a checkpoint has one shape and one normalisation"
            problems.append(Problem(where=path, found=repr(value), expected=expected, fix=fix))
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the overrides")


def has_test_data(training: Spec) -> bool:
    """Tell whether a training spec names data of a test split, which its evaluation then takes."""
    named = ((_SPLITS.fullmatch(path), value) for path, value in iterate_leaves(training.values))
    return any(match and match["key"].startswith("data_sources") and not _is_blank(value) for match, value in named)


def _in_validation(path: str) -> str | None:
    match = _SPLITS.fullmatch(path)
    return f"{match['section']}val_dataset.{match['key']}" if match else None


def _renamed(training: Spec, skill: Skill, name: str) -> dict[str, JsonValue]:
    """Return what an action takes from other keys of the training, by its own keys."""
    values: dict[str, JsonValue] = {}
    for path, source in skill.architecture.actions.inherited.get(name, {}).items():
        value = training.get(source.path) if training.has(source.path) else None
        if source.item is None and not _is_blank(value):
            values[path] = value
        elif source.item is not None and isinstance(value, list) and value:
            values[path] = value[source.item]
    return values


def _is_blank(value: JsonValue) -> bool:
    """Tell whether a value says nothing: empty, or a list of data sources without a file."""
    if isinstance(value, list):
        return not value or all(isinstance(item, dict) and not item.get("data_file", True) for item in value)
    return value is None or value == ""
