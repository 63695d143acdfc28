"""Check skills and specs as a whole, for `automl check`: every error and every inconsistency.

Values are compared with the schema of the action. Public templates contradict their own schemas (an option that the
list lacks, a default below its minimum), so a value that comes from the template is at most a warning; one that the
user wrote is a problem.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, options_text
from automl.skill.fields import Findings, is_number, kind_of
from automl.spec.model import Spec, iterate_leaves
from automl.spec.overrides import check_paths
from automl.spec.train_schema import LeafKind, TrainSchema, read_train_schema
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


def check_skill(skill: Skill) -> Findings:
    """Read every template and every schema of a skill, and return what cannot be used."""
    findings = Findings(str(skill.root), warnings=list(skill.warnings))
    for file in dict.fromkeys(skill.templates.values()):
        try:
            read_spec(file)
        except ConfigurationError as error:
            findings.problems += error.problems
    for file in dict.fromkeys(skill.schemas.values()):
        try:
            findings.warnings += read_train_schema(file).warnings
        except ConfigurationError as error:
            findings.problems += error.problems
    return findings


def check_spec(spec: Spec, template: Spec, schema: TrainSchema | None, *, where: str) -> Findings:
    """Compare a spec with the template and the schema of its action; each problem names ``where``, e.g. the file."""
    leaves = schema.leaves if schema is not None else {}
    known = {path for path, _ in iterate_leaves(template.values)} | leaves.keys()
    findings = check_paths([path for path, _ in iterate_leaves(spec.values)], known, where=where)
    for path, leaf in leaves.items():
        value = spec.get(path) if spec.has(path) else None
        expected = expected_value(leaf, value)
        if expected is None:
            continue
        is_users = spec.origins.get(path) in _USERS and not (template.has(path) and template.get(path) == value)
        note = findings.reject if is_users else findings.leave_out
        note(path, kind_of(value), expected, "change the value")
    return findings


def expected_value(leaf: SchemaLeaf, value: JsonValue) -> str | None:
    """Return what the schema expects in place of a value; None if the value can stand there."""
    if _is_unset(value):
        return None
    if not has_fitting_type(leaf, value):
        return expected_kind(leaf)
    if leaf.choices and leaf.kind is not LeafKind.LIST and value not in leaf.choices:
        return f"one of {options_text(leaf.choices)}"
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    low = -math.inf if leaf.minimum is None else leaf.minimum
    high = math.inf if leaf.maximum is None else leaf.maximum
    if not is_number(value) or low <= value <= high:
        return None
    return f"at least {low:g}" if value < low else f"at most {high:g}"


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
