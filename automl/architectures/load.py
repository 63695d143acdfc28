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

from automl.architectures import model
from automl.config_files import read_document
from automl.errors import ConfigurationError
from automl.schema_problems import schema_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).parent
_ANY = "any"


def load_architecture(network_arch: str, own: Path | None = None) -> model.Architecture:
    """Return what is known of an architecture; of an unknown one, what holds for all.

    Hyphens and underscores of ``network_arch`` are the same. The skill's ``own`` file is read last.

    Raises:
        ConfigurationError: the skill's own file cannot be used; with every problem.
    """
    if own is None:
        return _of_ours(network_arch)
    document: Any = read_document(own)
    subject = f"the architecture file {own.name}"
    problems = schema_problems(document, "architecture", where=str(own))
    if problems:
        raise ConfigurationError.from_problems(problems, subject=subject)
    base, known = document.get("extends", network_arch), known_architectures()
    if "extends" in document and base.replace("-", "_") not in known:
        where, expected = f"{own}: extends", f"one of: {', '.join(known)}"
        fix = "name one of these, or leave the key out"
        raise ConfigurationError.single(subject, where=where, found=repr(base), expected=expected, fix=fix)
    if "metrics" in document:
        document["metrics"].setdefault("source", own.name)
    return _architecture(_merged(_values(base), document))


@functools.cache
def known_architectures() -> tuple[str, ...]:
    """Return the names of our files, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


@functools.cache
def _of_ours(network_arch: str) -> model.Architecture:
    return _architecture(_values(network_arch))


@functools.cache
def _values(network_arch: str) -> Mapping[str, Any]:
    name = network_arch.replace("-", "_")
    # Compared with what is there: the id comes from a skill and could lead out of the folder.
    name = name if name in known_architectures() else _ANY
    document: Any = read_document(_FOLDER / f"{name}.yaml")
    return _merged({} if name == _ANY else _values(document.get("extends", _ANY)), document)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **own}
    for block in ("keys", "checkpoints", "actions"):
        merged[block] = {**base.get(block, {}), **own.get(block, {})}
    below, above = base.get("parameters", {}), own.get("parameters", {})
    merged["parameters"] = {**below, **above}
    for key in below.keys() & above.keys():
        is_mapping = isinstance(above[key], dict)
        added = {**above[key], **below[key], **above[key]} if is_mapping else [*above[key], *below[key]]
        merged["parameters"][key] = added
    below, above = base.get("metrics", {}), own.get("metrics", {})
    named = {name: direction for direction in ("maximize", "minimize") for name in above.get(direction, ())}
    kept = {
        n: d for n, d in below.get("directions", {}).items() if not any(model.same_metric(n, name) for name in named)
    }
    merged["metrics"] = {**below, **above, "directions": {**kept, **named}}
    return merged


def _architecture(values: Mapping[str, Any]) -> model.Architecture:
    known = _frozen(values)
    metrics, parameters = known["metrics"], known["parameters"]
    conditions = tuple(model.ConditionRule(**rule) for rule in parameters["conditions"])
    families = tuple(
        model.Family(**{**family, "scale": model.Scale(family.get("scale", "linear"))})
        for family in parameters.get("families", ())
    )
    milestones = tuple(model.MilestoneRule(**rule) for rule in parameters.get("milestones", ()))
    lengths = tuple(model.LengthRule(**rule) for rule in parameters.get("run_length", ()))
    inherited = {
        action: MappingProxyType({path: model.TrainedValue(**source) for path, source in sources.items()})
        for action, sources in known["actions"].get("inherited", {}).items()
    }
    return model.Architecture(
        metrics=model.Metrics(
            source=metrics["source"], default=metrics.get("default"), directions=metrics["directions"]
        ),
        parameters=model.ParameterRules(
            **{
                **parameters,
                "families": families,
                "conditions": conditions,
                "milestones": milestones,
                "run_length": lengths,
            }
        ),
        keys=model.SpecKeys(**known["keys"]),
        checkpoints=model.CheckpointNaming(**known["checkpoints"]),
        actions=model.ActionRules(**{**known["actions"], "inherited": MappingProxyType(inherited)}),
        recipes=tuple(model.Recipe(**recipe) for recipe in known.get("recipes", ())),
        model_loader=known.get("model_loader"),
        model_output=model.ModelOutput(**known.get("model_output", {})),
        data_check=known.get("data_check"),
    )


def _frozen(value: Any) -> Any:  # noqa: ANN401 # YAML
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(child) for key, child in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
