"""Compose the spec of an action from its layers.

Later wins: schema defaults (only without a template), template, ``key_defaults``, literals of ``spec_params``, data,
overrides of the user. The special words of ``spec_params`` depend on the trial and are filled by
`automl.spec.complete`. Nothing is written, and of the user's data only the names are looked at.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError, Problem
from automl.skill.fields import kind_of
from automl.spec.data import map_data
from automl.spec.model import Spec, iterate_leaves, lay_over
from automl.spec.overrides import OverrideCheck, check_paths, flatten
from automl.spec.special import WordKind, word_kind
from automl.spec.validate import expected_kind, has_fitting_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.skill.model import JsonValue, Skill
    from automl.spec.schema_nodes import SchemaLeaf
    from automl.spec.train_schema import TrainSchema


def build_spec(
    skill: Skill,
    action: str,
    *,
    data: Mapping[str, str] = MappingProxyType({}),
    overrides: Mapping[str, JsonValue] = MappingProxyType({}),
    schema: TrainSchema | None = None,
    template: Path | None = None,
) -> Spec:
    """Compose the spec of an action, all but the values that belong to one trial.

    Args:
        skill: The skill.
        action: One of its actions.
        data: Split (``train``, ``val``, ``test``, ``infer``, ``calibration``) or parameter path -> path of the data.
        overrides: The user's values, dotted or nested; aliases of the skill (``num_epochs``) are understood.
        schema: The action's schema; its defaults make the spec where there is no template.
        template: A spec file of the user in place of the skill's template.

    Raises:
        ConfigurationError: no such action, neither template nor schema, an unreadable template, data that fits no
            input, or overrides that nearly name a parameter; with every problem.
    """
    if action not in skill.actions:
        raise _error(f"{skill.name}: actions", repr(action), ", ".join(skill.actions), "choose one of the actions")
    spec = _base(skill, action, schema, template)
    spec = lay_over(spec, skill.key_defaults, "key_defaults")
    rules = skill.actions[action].spec_params
    literals = {path: value for path, value in rules.items() if word_kind(value) is WordKind.LITERAL}
    spec = lay_over(spec, literals, "spec_params")
    flat = expand_shorthands(skill, spec, flatten(overrides))
    check = check_overrides(spec, flat, schema=schema, skill=skill, action=action)
    problems = list(check.problems)
    mapped: dict[str, JsonValue] = {}
    try:
        mapped = map_data(skill, skill.actions[action], spec, data)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError.from_problems(problems, subject=f"the spec of {skill.name} {action}")
    return lay_over(lay_over(spec, mapped, "data"), flat, "override")


def expand_shorthands(skill: Skill, spec: Spec, overrides: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Replace the skill's aliases (``num_epochs``) by their parameter paths; real paths win over aliases."""
    expanded: dict[str, JsonValue] = {}
    for path, value in overrides.items():
        is_alias = path in skill.shorthand_keys and not spec.has(path)
        expanded[skill.shorthand_keys[path] if is_alias else path] = value
    return expanded


def check_overrides(
    spec: Spec, overrides: Mapping[str, JsonValue], *, schema: TrainSchema | None, skill: Skill, action: str
) -> OverrideCheck:
    """Compare overrides with everything that is known: near misses are problems, new parameters are warnings."""
    known = {path for path, _ in iterate_leaves(spec.values)} | set(schema.leaves if schema is not None else ())
    known |= set(skill.actions[action].spec_params) | {slot.key for slot in skill.actions[action].inputs}
    known |= {key for key in (skill.gpu_spec_key, skill.node_spec_key, *skill.shorthand_keys.values()) if key}
    check = check_paths(overrides, known, where="overrides")
    outputs = {path for path, value in skill.actions[action].spec_params.items() if value == "output_dir"}
    ignored = [
        Problem(
            where=f"overrides: {path}",
            found=f"an output directory, {overrides[path]!r}",
            expected="nothing: each trial has a directory of its own",
            fix="choose where studies are written with the command's own option",
        )
        for path in overrides
        if path in outputs
    ]
    misfits = [
        problem
        for path, value in overrides.items()
        if (problem := _misfit(spec, path, value, schema.leaves.get(path) if schema is not None else None)) is not None
    ]
    return OverrideCheck(problems=(*check.problems, *misfits), warnings=(*check.warnings, *ignored))


def _misfit(spec: Spec, path: str, value: JsonValue, leaf: SchemaLeaf | None) -> Problem | None:
    """Return what is wrong with a value that the user wrote: text for a number, one value for a whole block."""
    there = spec.get(path) if spec.has(path) else None
    where = f"overrides: {path}"
    if isinstance(there, dict) and there and value is not None and not isinstance(value, dict):
        fix = f"name one of its parameters, e.g. {path}.{next(iter(there))}, or null to take the block out"
        return Problem(where=where, found=f"{kind_of(value)}, for a whole block", expected="a mapping", fix=fix)
    is_like_template = there is not None and type(value) is type(there)
    if leaf is None or is_like_template or has_fitting_type(leaf, value):
        return None
    return Problem(where=where, found=kind_of(value), expected=expected_kind(leaf), fix="change the value")


def _base(skill: Skill, action: str, schema: TrainSchema | None, template: Path | None) -> Spec:
    file = template if template is not None else skill.templates.get(action)
    if file is None:
        if schema is None or not schema.default:
            where = f"{skill.root}: {action}"
            raise _error(where, "no spec template and no schema", "a template", "give a spec file with --spec")
        values, origin = dict(schema.default), "schema default"
    else:
        document = read_document(file)
        if not isinstance(document, dict):
            raise _error(str(file), kind_of(document), "a mapping", "correct the template or give --spec")
        values, origin = document, "template" if template is None else "--spec"
    origins = {path: origin for path, _ in iterate_leaves(values)}
    return Spec(values=values, origins=MappingProxyType(origins))


def _error(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the spec")
