"""Compose the spec of an action from its layers.

Later wins: schema defaults (only without a template), template, ``key_defaults``, literals of ``spec_params``, data,
overrides of the user. The special words of ``spec_params`` depend on the trial and are filled by
`automl.spec.complete`. Nothing is written, and of the user's data only the names are looked at.
"""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError, Problem
from automl.shown_command import shown_setting
from automl.skill.fields import kind_of
from automl.spec.data import map_data
from automl.spec.model import Spec, iterate_leaves, lay_over
from automl.spec.overrides import check_paths, closest, flatten, unchecked_paths
from automl.spec.special import WordKind, word_kind
from automl.spec.train_schema import TrainSchema, read_train_schema
from automl.spec.typed import typed_values
from automl.spec.validate import expected_kind, expected_value, has_fitting_type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from automl.skill.fields import Findings
    from automl.skill.model import JsonValue, Skill


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
        where, fix = f"{skill.name}: actions", "choose one of the actions"
        raise ConfigurationError.single(
            "the spec", where=where, found=repr(action), expected=", ".join(skill.actions), fix=fix
        )
    spec = _base(skill, action, schema, template)
    spec = lay_over(spec, skill.key_defaults, "key_defaults")
    rules = skill.actions[action].spec_params
    literals = {path: value for path, value in rules.items() if word_kind(value) is WordKind.LITERAL}
    spec = lay_over(spec, literals, "spec_params")
    flat = typed_values(expand_shorthands(skill, spec, flatten(overrides)), spec, schema)
    marked = unchecked_paths(overrides)
    checked = {path: value for path, value in flat.items() if path not in marked}
    problems = check_overrides(spec, checked, schema=schema, skill=skill, action=action).problems
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
    aliases = {alias: path for alias, path in skill.shorthand_keys.items() if not spec.has(alias)}
    return {aliases.get(path, path): value for path, value in overrides.items()}


def known_paths(spec: Spec, schema: TrainSchema | None, skill: Skill, action: str) -> set[str]:
    """Return every parameter path of an action that template, schema or skill name."""
    known = {path for path, _ in iterate_leaves(spec.values)} | {*(schema.leaves if schema is not None else ())}
    known |= {slot.key for slot in skill.actions[action].inputs} | {*skill.shorthand_keys.values()}
    if (program := skill.actions[action].program) is not None:
        known |= {*program.arguments}
    return known | {*skill.actions[action].spec_params, *filter(None, (skill.gpu_spec_key, skill.node_spec_key))}


def check_overrides(
    spec: Spec, overrides: Mapping[str, JsonValue], *, schema: TrainSchema | None, skill: Skill, action: str
) -> Findings:
    """Compare overrides with everything that is known: near misses are problems, new parameters are warnings."""
    params, leaves = skill.actions[action].spec_params, schema.leaves if schema is not None else {}
    findings = check_paths(overrides, known_paths(spec, schema, skill, action), where="overrides")
    for path, value in overrides.items():
        there = spec.get(path) if spec.has(path) else None
        leaf = leaves.get(path)
        if params.get(path) == "output_dir":
            expected = "nothing: each trial has a directory of its own"
            fix = "choose where studies are written with the command's own option"
            findings.leave_out(path, f"an output directory, {value!r}", expected, fix)
        if isinstance(there, dict) and there and value is not None and not isinstance(value, dict):
            fix = f"name one of its parameters, e.g. {path}.{next(iter(there))}, or null to take the block out"
            findings.reject(path, f"{kind_of(value)}, for a whole block", "a mapping", fix)
        elif leaf is not None and type(value) is not type(there) and not has_fitting_type(leaf, value):
            findings.reject(path, kind_of(value), expected_kind(leaf), "change the value")
    return findings


def _typed_document(document: dict[str, JsonValue], schema: TrainSchema | None) -> dict[str, JsonValue]:
    """Return a user's spec with the types of the schema's parameters."""
    empty = Spec(values=dict(schema.default) if schema is not None else {})
    typed = typed_values(dict(iterate_leaves(document)), empty, schema)

    def placed(node: dict[str, JsonValue], prefix: str) -> dict[str, JsonValue]:
        return {
            key: placed(child, f"{prefix}{key}.") if isinstance(child, dict) and child else typed[f"{prefix}{key}"]
            for key, child in node.items()
        }

    return placed(document, "")


def override_problems(
    skill: Skill, action: str, overrides: Mapping[str, JsonValue], *, template: Path | None = None
) -> list[Problem]:
    """Return a problem for each value of the user that the schema excludes, and each key that nothing knows.

    The values of a spec that is given are the user's too.

    Where an action has no schema of its own, only a key in a block that is nowhere is unknown. What is marked with
    ``+`` is not checked. Near misses and wrong types are errors of `build_spec`.
    """
    schema, trained = _schema(skill, action), _schema(skill, "train")
    spec, marked = build_spec(skill, action, schema=schema, template=template), unchecked_paths(overrides)
    leaves = schema.leaves if schema is not None else {}
    known = known_paths(spec, schema, skill, action)
    blocks = {path.partition(".")[0] for path in (*known, *(trained.leaves if trained is not None else ()))}
    typed = typed_values(expand_shorthands(skill, spec, flatten(overrides)), spec, schema)
    problems = []
    if template is not None and schema is not None:
        problems = _spec_problems(skill, action, spec, schema, replaced=typed)
    for path, value in typed.items():
        if path in marked or (spec.has(path) and spec.get(path) == value):
            continue
        fix = f"correct it, or pass it on unchecked: {shown_setting(path, value)}"
        expected = expected_value(leaves[path], value) if path in leaves else None
        if expected is not None:
            problems.append(Problem(where=f"--set {path}", found=kind_of(value), expected=expected, fix=fix))
        is_new = bool(check_paths([path], known, where="").warnings)
        if is_new and (schema is not None or path.partition(".")[0].partition("[")[0] not in blocks):
            found, expected = "a parameter that neither the template nor the schema has", "an existing parameter"
            problems.append(Problem(where=f"--set {path}", found=found, expected=expected, fix=fix))
    return problems


def _spec_problems(
    skill: Skill, action: str, spec: Spec, schema: TrainSchema, *, replaced: Collection[str | None]
) -> list[Problem]:
    """Return a problem for each value of the user's spec that the schema excludes, and the skill's template has not.

    A key that nothing knows is a problem too.
    """
    has_own = action in skill.templates or bool(schema.default)
    own = build_spec(skill, action, schema=schema) if has_own else Spec(values={})
    replaced = {*replaced, skill.gpu_spec_key, skill.node_spec_key}
    known = known_paths(own, schema, skill, action)
    values = dict(iterate_leaves(spec.values))  # a key of the user's need not be a parameter path
    paths = [path for path in values if path not in replaced]
    unknown = [path for path in paths if (found := check_paths([path], known, where="")).problems or found.warnings]
    return [_unknown_key(path, values[path], known) for path in unknown] + [
        Problem(where=f"--spec {path}", found=kind_of(spec.get(path)), expected=expected, fix="correct it in the spec")
        for path, leaf in schema.leaves.items()
        if path not in replaced and spec.has(path) and not (own.has(path) and own.get(path) == spec.get(path))
        if (expected := expected_value(leaf, spec.get(path))) is not None
    ]


def _unknown_key(path: str, value: JsonValue, known: Collection[str]) -> Problem:
    close = closest(path, known)
    fix = f"did you mean {close}?" if close else f"take it out, or pass it on unchecked: {shown_setting(path, value)}"
    found = "a parameter that neither the template nor the schema has"
    return Problem(where=f"--spec {path}", found=found, expected="an existing parameter", fix=fix)


def _schema(skill: Skill, action: str) -> TrainSchema | None:
    """Return the schema of an action; None where there is none that can be read."""
    try:
        return read_train_schema(skill.schemas[action]) if action in skill.schemas else None
    except ConfigurationError:
        return None


def _base(skill: Skill, action: str, schema: TrainSchema | None, template: Path | None) -> Spec:
    file = template if template is not None else skill.templates.get(action)
    if file is None and skill.values is not None:
        values, origin = copy.deepcopy(dict(skill.values)), skill.values_source
    elif file is None:
        if schema is None or not schema.default:
            where, found = f"{skill.root}: {action}", "no spec template and no schema"
            raise ConfigurationError.single(
                "the spec", where=where, found=found, expected="a template", fix="give a spec file with --spec"
            )
        values, origin = dict(schema.default), "schema default"
    else:
        document = read_document(file, is_spelled=template is not None)
        if not isinstance(document, dict):
            fix = "correct the template or give --spec"
            raise ConfigurationError.single(
                "the spec", where=str(file), found=kind_of(document), expected="a mapping", fix=fix
            )
        values, origin = document, "template" if template is None else "--spec"
        if template is not None:
            values = _typed_document(document, schema)
    origins = {path: origin for path, _ in iterate_leaves(values)}
    return Spec(values=values, origins=MappingProxyType(origins))
