"""Read what is known of an architecture: its own file over the one that it extends, `any.yaml` below all.

A skill may bring a file of its own (``automl.yaml`` beside ``skill_info.yaml``), which is read last and checked against
`schemas/architecture.schema.json`; our files are checked by a test. Lists under ``parameters`` and of metrics are added
to those of the files below and come first; any other key replaces the one below.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.architectures.model import (
    ActionRules,
    Architecture,
    CheckpointNaming,
    ConditionRule,
    Metrics,
    MilestoneRule,
    ParameterRules,
    SpecKeys,
    TrainedValue,
    same_metric,
)
from automl.config_files import read_document, schema_problems
from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).parent
_ANY = "any"


def load_architecture(network_arch: str, own: Path | None = None) -> Architecture:
    """Return what is known of an architecture; of an unknown one, what holds for all.

    Args:
        network_arch: Its id; hyphens and underscores are the same.
        own: The file that a skill brings itself, which is read last.

    Raises:
        ConfigurationError: the skill's own file cannot be used; with every problem.
    """
    if own is None:
        return _packaged(_file_of(network_arch))
    document: Any = read_document(own)
    problems = schema_problems(document, "architecture", where=str(own)) or _unknown_base(document, own)
    if problems:
        raise ConfigurationError.from_problems(problems, subject=f"the architecture file {own.name}")
    if "metrics" in document:
        document["metrics"].setdefault("source", own.name)
    return _architecture(_merged(_values(_file_of(document.get("extends", network_arch))), document))


@functools.cache
def known_architectures() -> tuple[str, ...]:
    """Return the names of our files, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


def _file_of(network_arch: str) -> str:
    name = network_arch.replace("-", "_")
    # Compared with what is there: the id comes from a skill and could lead out of the folder.
    return name if name in known_architectures() else _ANY


@functools.cache
def _packaged(name: str) -> Architecture:
    return _architecture(_values(name))


@functools.cache
def _values(name: str) -> Mapping[str, Any]:
    document: Any = read_document(_FOLDER / f"{name}.yaml")
    return _merged({} if name == _ANY else _values(document.get("extends", _ANY)), document)


def _unknown_base(document: Mapping[str, Any], own: Path) -> list[Problem]:
    base = document.get("extends", _ANY)
    if base.replace("-", "_") in known_architectures():
        return []
    known = ", ".join(known_architectures())
    fix = "name one of these, or leave the key out"
    return [Problem(where=f"{own}: extends", found=repr(base), expected=f"one of: {known}", fix=fix)]


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **own}
    for block in ("keys", "checkpoints", "actions"):
        merged[block] = {**base.get(block, {}), **own.get(block, {})}
    merged["parameters"] = _added(base.get("parameters", {}), own.get("parameters", {}))
    below, above = base.get("metrics", {}), own.get("metrics", {})
    named = {name: direction for direction in ("maximize", "minimize") for name in above.get(direction, ())}
    kept = {n: d for n, d in below.get("directions", {}).items() if not any(same_metric(n, name) for name in named)}
    merged["metrics"] = {**below, **above, "directions": {**kept, **named}}
    return merged


def _added(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return both blocks of rules, the own ones first."""
    added = {**base, **own}
    for key in base.keys() & own.keys():
        added[key] = {**own[key], **base[key], **own[key]} if isinstance(own[key], dict) else [*own[key], *base[key]]
    return added


def _architecture(values: Mapping[str, Any]) -> Architecture:
    metrics, parameters, actions = values["metrics"], values["parameters"], values["actions"]
    inherited = {
        action: MappingProxyType({path: TrainedValue(**source) for path, source in sources.items()})
        for action, sources in actions.get("inherited", {}).items()
    }
    return Architecture(
        metrics=Metrics(
            source=metrics["source"],
            default=metrics.get("default"),
            directions=MappingProxyType(metrics["directions"]),
        ),
        parameters=ParameterRules(
            **{
                **_frozen(parameters),
                "conditions": tuple(ConditionRule(**_frozen(rule)) for rule in parameters["conditions"]),
                "milestones": tuple(MilestoneRule(**_frozen(rule)) for rule in parameters.get("milestones", ())),
            }
        ),
        keys=SpecKeys(**_frozen(values["keys"])),
        checkpoints=CheckpointNaming(**_frozen(values["checkpoints"])),
        actions=ActionRules(**{**_frozen(actions), "inherited": MappingProxyType(inherited)}),
        model_loader=values.get("model_loader"),
        data_check=values.get("data_check"),
    )


def _frozen(block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else MappingProxyType(value) if isinstance(value, dict) else value
        for key, value in block.items()
    }
