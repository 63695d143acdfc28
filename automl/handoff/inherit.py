"""What an action after training must share with the training: the shape of the model, sizes, normalisation, ranges.

An action's own template knows nothing of the study. Every value outside the sections of actions that both specs have
is taken from the training; a test or inference split without its own values gets those of the validation split, under
which the checkpoint was found to be good. An override that would change the model under the checkpoint is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.errors import ConfigurationError, Problem
from automl.spec.model import iterate_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec

_SPLITS = re.compile(r"(?P<section>.*\b)(?:test|infer|eval|inference)_dataset\.(?P<key>.+)")


def inherited_values(training: Spec, action: Spec, skill: Skill, name: str) -> dict[str, JsonValue]:
    """Return parameter path -> value that the action's spec takes over from the training.

    Args:
        training: The spec that made the checkpoint.
        action: The action's spec, from its template.
        skill: The skill.
        name: The action.
    """
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
    values.update(_renamed(training, skill, name))
    return values


def check_overrides_fit(training: Spec, overrides: Mapping[str, JsonValue], skill: Skill, name: str) -> None:
    """Refuse overrides that describe another model, other sizes or another normalisation than the checkpoint's.

    Args:
        training: The spec that made the checkpoint.
        overrides: Parameter path -> value, flat.
        skill: The skill.
        name: The action.

    Raises:
        ConfigurationError: with every such override.
    """
    renamed = dict(_renamed(training, skill, name))
    problems = [
        Problem(
            where=path,
            found=repr(value),
            expected=f"{trained!r}, with which the checkpoint was trained",
            fix="leave it out; a checkpoint has one shape and one normalisation",
        )
        for path, value in overrides.items()
        if matches(path, skill.architecture.actions.trained_with)
        for trained in _trained_with(training, path, renamed)
        if trained != value
    ]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the overrides")


def has_test_data(training: Spec) -> bool:
    """Tell whether a training spec names data of a test split, which its evaluation then takes."""
    named = ((_SPLITS.fullmatch(path), value) for path, value in iterate_leaves(training.values))
    return any(match and match["key"].startswith("data_sources") and not _is_blank(value) for match, value in named)


def _trained_with(training: Spec, path: str, renamed: Mapping[str, JsonValue]) -> list[JsonValue]:
    """Return the value of the training for a key of an action, in a list; none where the training does not know it."""
    if path in renamed:
        return [renamed[path]]
    source = _in_validation(path) or path
    return [training.get(source)] if training.has(source) else []


def _in_validation(path: str) -> str | None:
    match = _SPLITS.fullmatch(path)
    return f"{match['section']}val_dataset.{match['key']}" if match else None


def _renamed(training: Spec, skill: Skill, name: str) -> Iterator[tuple[str, JsonValue]]:
    for path, source in skill.architecture.actions.inherited.get(name, {}).items():
        value = training.get(source.path) if training.has(source.path) else None
        if source.item is None and not _is_blank(value):
            yield path, value
        elif source.item is not None and isinstance(value, list) and value:
            yield path, value[source.item]


def _is_blank(value: JsonValue) -> bool:
    """Tell whether a value says nothing: empty, or a list of data sources without a file."""
    if isinstance(value, list):
        return not value or all(isinstance(item, dict) and not item.get("data_file", True) for item in value)
    return value is None or value == ""
