"""Validate the tree of a spec with pydantic; every problem is collected, none is raised."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from pydantic import ValidationError

from depth_net.config.fields import Section, choices_within, field_at, kind_of, leaves, limits_of, shortened
from depth_net.config.problems import SpecProblem, closest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from depth_net.config.tree import Tree

_Kind = TypeVar("_Kind", bound=Section)
_TOLERATED: Final = "model.gwc_"
"""Prefix of keys of stereo models in newer specs, which are ignored."""
_EXPECTED: Final = {
    "int": "a whole number",
    "float": "a finite number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list",
}
"""What is expected by the first word of pydantic's type of an error."""
_OUT_OF_RANGE: Final = ("greater_than", "greater_than_equal", "less_than_equal")
_LIMITS: Final = {"gt": "greater than", "ge": "of at least", "le": "of at most"}


def build(kind: type[_Kind], tree: Tree, problems: list[SpecProblem]) -> _Kind:
    """Return ``tree`` as an instance of ``kind``, appending what is wrong to ``problems``.

    Keys with a problem, and keys that are missing, have their default, so that the rest can be checked too.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        usable, fields = copy.deepcopy(tree), dict(leaves(kind))
        for detail in error.errors(include_url=False):
            found = _take(usable, detail)
            problem = _problem(detail, found, kind, fields)
            if problem.where not in (known.where for known in problems) and not problem.where.startswith(_TOLERATED):
                problems.append(problem)
        return kind.model_validate(usable)


def _path(detail: ErrorDetails) -> tuple[str | int, ...]:
    """Return the steps to the key of an error: a list is wrong as a whole."""
    steps = detail["loc"]
    return steps[:-1] if isinstance(steps[-1], int) else steps


def _take(tree: Tree, detail: ErrorDetails) -> object:
    """Remove the key of an error from ``tree`` and return its value; None where another error has removed it."""
    node: Any = tree
    *groups, last = _path(detail)
    for step in groups:
        if isinstance(node, list):
            node = node[step]  # type: ignore[index]  # pydantic numbers the items of lists
        elif isinstance(step, str):  # a single group in place of a list has no index
            node = node.get(step, {})
    return node.pop(last, None)


def _problem(
    detail: ErrorDetails, found: object, section: type[Section], fields: Mapping[str, FieldInfo]
) -> SpecProblem:
    path, kind = _path(detail), detail["type"]
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    is_item = any(isinstance(step, int) for step in path)
    field = field_at(section, path) if is_item else fields.get(where)
    if kind == "extra_forbidden":
        near = closest(where, fields)
        fix = f"did you mean {near}?" if near else "remove it, or see `depth_net default_specs` for all keys"
        return SpecProblem(where, "an unknown key", "a key of the spec", fix)
    if field and kind in _OUT_OF_RANGE:
        limits = " and ".join(f"{_LIMITS[name]} {limit:g}" for name, limit in limits_of(field).items())
        expected, fix = f"a number {limits}", "use a number in this range"
        return SpecProblem(where, repr(detail["input"]), expected, fix, is_value=True)
    if field and kind in ("enum", "literal_error"):
        choices = choices_within(field)
        near = closest(str(detail["input"]), map(str, choices))
        fix = f"did you mean {near}?" if near else "use one of these words"
        return SpecProblem(
            where, repr(found), f"one of {shortened(choices)}", fix, is_value=not isinstance(found, dict | list)
        )
    expected, fix = _EXPECTED.get(kind.partition("_")[0], "a group of keys"), "correct the value"
    if field and kind == "model_type":
        expected = f"a list of groups with the keys {', '.join(kind_of(get_args(field.annotation)[0]).model_fields)}"
    elif kind == "model_type":
        fix = "write the keys of this group below it, indented"
    return SpecProblem(where, repr(found), expected, fix)
