"""Check skills and specs as a whole, for `automl check`: every error and every inconsistency.

Values are compared with the schema of the action. Public templates contradict their own schemas (an option that the
list lacks, a default below its minimum), so a value that comes from the template is at most a warning; one that the
user wrote is a problem when its type is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.skill.fields import kind_of
from automl.spec.model import Spec, iterate_leaves
from automl.spec.overrides import check_paths
from automl.spec.schema_nodes import LeafKind
from automl.spec.train_schema import TrainSchema, read_train_schema
from automl.spec.write import read_spec

if TYPE_CHECKING:
    from automl.skill.model import JsonValue, Skill
    from automl.spec.train_schema import SchemaLeaf

_FITTING: dict[LeafKind, tuple[type, ...]] = {
    LeafKind.FLOAT: (int, float),
    LeafKind.INT: (int,),
    LeafKind.BOOL: (bool,),
    LeafKind.LIST: (list,),
}
_WORDS = {
    LeafKind.FLOAT: "a number",
    LeafKind.INT: "a whole number",
    LeafKind.BOOL: "true or false",
    LeafKind.TEXT: "text",
}
_USERS = {"override", "data", "file", "--spec"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a check found.

    Attributes:
        problems: What makes the thing unusable.
        warnings: What is inconsistent and can be used.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check_skill(skill: Skill) -> Findings:
    """Read every template and every schema of a skill, and return what cannot be used."""
    problems: list[Problem] = []
    warnings = list(skill.warnings)
    for file in dict.fromkeys(skill.templates.values()):
        try:
            read_spec(file)
        except ConfigurationError as error:
            problems += error.problems
    for file in dict.fromkeys(skill.schemas.values()):
        try:
            warnings += read_train_schema(file).warnings
        except ConfigurationError as error:
            problems += error.problems
    return Findings(problems=tuple(problems), warnings=tuple(warnings))


def check_spec(spec: Spec, template: Spec, schema: TrainSchema | None, *, where: str) -> Findings:
    """Compare a spec with the template and the schema of its action.

    Args:
        spec: The spec to check.
        template: What the skill's template makes; its paths are known.
        schema: The action's schema, if there is one.
        where: Named in problems, e.g. the file.
    """
    known = {path for path, _ in iterate_leaves(template.values)} | set(schema.leaves if schema is not None else ())
    paths = check_paths([path for path, _ in iterate_leaves(spec.values)], known, where=where)
    problems, warnings = list(paths.problems), list(paths.warnings)
    for path, leaf in (schema.leaves if schema is not None else {}).items():
        if not spec.has(path):
            continue
        value = spec.get(path)
        problem = _check_value(leaf, value, where)
        if problem is None:
            continue
        is_users = spec.origins.get(path) in _USERS and not (template.has(path) and template.get(path) == value)
        (problems if is_users and not has_fitting_type(leaf, value) else warnings).append(problem)
    return Findings(problems=tuple(problems), warnings=tuple(warnings))


def _check_value(leaf: SchemaLeaf, value: JsonValue, where: str) -> Problem | None:
    if _is_unset(value):
        return None
    if not has_fitting_type(leaf, value):
        return _problem(leaf, value, where, expected_kind(leaf))
    if leaf.choices and leaf.kind is not LeafKind.LIST and value not in leaf.choices:
        return _problem(leaf, value, where, f"one of {', '.join(map(str, leaf.choices))}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = leaf.minimum, leaf.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            ends = ("-inf" if low is None else f"{low:g}", "inf" if high is None else f"{high:g}")
            return _problem(leaf, value, where, "..".join(ends))
    return None


def _is_unset(value: JsonValue) -> bool:
    # Interpolations are computed by the trainer; "???" waits for a value.
    return value is None or value in ("", "???") or (isinstance(value, str) and "${" in value)


def has_fitting_type(leaf: SchemaLeaf, value: JsonValue) -> bool:
    """Return whether a value has the type of the schema; what is unset or computed by the trainer fits every type."""
    fitting = _FITTING.get(leaf.kind)
    if _is_unset(value) or fitting is None:
        return True
    return isinstance(value, fitting) and (leaf.kind is LeafKind.BOOL or not isinstance(value, bool))


def expected_kind(leaf: SchemaLeaf) -> str:
    """Return the type of the schema, in words."""
    return _WORDS.get(leaf.kind, f"a {leaf.kind.value}")


def _problem(leaf: SchemaLeaf, value: JsonValue, where: str, expected: str) -> Problem:
    return Problem(where=f"{where}: {leaf.path}", found=kind_of(value), expected=expected, fix="change the value")
