"""What an action after training must share with the training: the shape of the model, sizes, normalisation, ranges.

An action's own template knows nothing of the study. Every value outside the sections of actions that both specs have
is taken from the training; a test or inference split without its own values gets those of the validation split, under
which the checkpoint was found to be good. An override that would change the model under the checkpoint is an error.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.spec.model import iterate_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec

_SPLITS = re.compile(r"(?P<section>.*\b)(?:test|infer|eval|inference)_dataset\.(?P<key>.+)")
_OWN_OF_SPLIT = re.compile(r"\b(?:batch_size|workers|pin_memory|cache_mb|shuffle)$")
_BOUND = re.compile(r"^model\.|\b(?:min_depth|max_depth|normalize_depth|input_mean|input_std)$")

_SIZES: Mapping[str, Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "depth_net_mono": MappingProxyType(
            {
                "export.input_height": ("dataset.val_dataset.augmentation.crop_size", 0),
                "export.input_width": ("dataset.val_dataset.augmentation.crop_size", -1),
            }
        )
    }
)
"""network_arch -> key of an action -> (list of the training, place in it): sizes that have another name there."""


def carried_values(training: Spec, action: Spec, skill: Skill) -> dict[str, JsonValue]:
    """Return parameter path -> value that the action's spec takes over from the training.

    Args:
        training: The spec that made the checkpoint.
        action: The action's spec, from its template.
        skill: The skill.
    """
    sections = {*skill.actions, "results_dir"}
    values: dict[str, JsonValue] = {}
    for path, own in iterate_leaves(action.values):
        if path.partition(".")[0] in sections:
            continue
        if training.has(path) and not _is_blank(training.get(path)):
            values[path] = training.get(path)
        elif (source := _in_validation(path)) and training.has(source) and not _OWN_OF_SPLIT.search(path):
            values[path] = training.get(source)
        elif training.has(path):
            values[path] = own
    values.update(_sizes(training, action, skill))
    return values


def check_overrides_fit(training: Spec, overrides: Mapping[str, JsonValue]) -> None:
    """Refuse overrides that describe another model or another normalisation than the checkpoint's.

    Args:
        training: The spec that made the checkpoint.
        overrides: Parameter path -> value, flat.

    Raises:
        ConfigurationError: with every such override.
    """
    problems = [
        Problem(
            where=path,
            found=repr(value),
            expected=f"{training.get(path)!r}, with which the checkpoint was trained",
            fix="leave it out; a checkpoint has one shape and one normalisation",
        )
        for path, value in overrides.items()
        if _BOUND.search(path) and training.has(path) and training.get(path) != value
    ]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the overrides")


def _in_validation(path: str) -> str | None:
    match = _SPLITS.fullmatch(path)
    return f"{match['section']}val_dataset.{match['key']}" if match else None


def _sizes(training: Spec, action: Spec, skill: Skill) -> Iterator[tuple[str, JsonValue]]:
    for path, (source, place) in _SIZES.get(skill.network_arch.replace("-", "_"), {}).items():
        listed = training.get(source) if training.has(source) else None
        if action.has(path) and isinstance(listed, list) and listed:
            yield path, listed[place]


def _is_blank(value: JsonValue) -> bool:
    """Tell whether a value says nothing: empty, or a list of data sources without a file."""
    if isinstance(value, list):
        return not value or all(isinstance(item, dict) and not item.get("data_file", True) for item in value)
    return value is None or value == ""
