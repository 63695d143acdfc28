"""Check the ranges and options that a user gives against the schema: they narrow it, they never leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.errors import Problem
from automl.space.ranges import UserRange, schema_interval
from automl.space.values import is_same
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from automl.skill.model import JsonValue
    from automl.space.values import Scalar

_NUMBERS = {LeafKind.FLOAT, LeafKind.INT}


def check_user_range(leaf: SchemaLeaf, asked: UserRange, value: JsonValue) -> list[Problem]:
    """Return what is wrong with a user's range.

    Args:
        leaf: The parameter.
        asked: The range or the options.
        value: The merged spec's value, which is always allowed as an option.
    """
    if asked.choices:
        return [problem for option in asked.choices if (problem := _check_option(leaf, option, value)) is not None]
    problem = _check_ends(leaf, asked)
    return [problem] if problem is not None else []


def _check_ends(leaf: SchemaLeaf, asked: UserRange) -> Problem | None:
    ends = [end for end in (asked.low, asked.high) if end is not None]
    shown = "..".join(f"{end:g}" for end in ends)
    if leaf.kind not in _NUMBERS or leaf.choices:
        return _problem(leaf, f"the range {shown}", _expected(leaf))
    if leaf.kind is LeafKind.INT and any(end != int(end) for end in ends):
        return _problem(leaf, f"{shown} for whole numbers", "whole numbers as ends")
    if any(_is_outside(leaf, end) for end in ends):
        return _problem(leaf, f"{shown}, outside the schema", _expected(leaf))
    return None


def _check_option(leaf: SchemaLeaf, option: Scalar, value: JsonValue) -> Problem | None:
    if not isinstance(value, dict | list) and is_same(option, value):
        return None
    if leaf.choices:
        is_listed = any(is_same(option, choice) for choice in leaf.choices)
        return None if is_listed else _problem(leaf, f"the option {option!r}", _expected(leaf))
    is_number = isinstance(option, int | float) and not isinstance(option, bool)
    fits = {
        LeafKind.BOOL: isinstance(option, bool),
        LeafKind.INT: is_number and isinstance(option, int),
        LeafKind.FLOAT: is_number,
        LeafKind.TEXT: isinstance(option, str),
    }.get(leaf.kind, True)
    if not fits or (is_number and leaf.kind in _NUMBERS and _is_outside(leaf, float(option or 0))):
        return _problem(leaf, f"the option {option!r}", _expected(leaf))
    return None


def _is_outside(leaf: SchemaLeaf, end: float) -> bool:
    interval = schema_interval(leaf, leaf.math_cond)
    # An excluded end may be named: it stays excluded.
    is_below = interval.low is not None and end < interval.low
    return is_below or (interval.high is not None and end > interval.high)


def _expected(leaf: SchemaLeaf) -> str:
    if leaf.choices:
        return f"one of {', '.join(map(str, leaf.choices))}"
    if leaf.kind not in _NUMBERS:
        return f"options of type {leaf.kind.value}"
    interval = schema_interval(leaf, leaf.math_cond)
    low = "-inf" if interval.low is None else f"{interval.low:g}"
    high = "inf" if interval.high is None else f"{interval.high:g}"
    kind = "whole numbers" if leaf.kind is LeafKind.INT else "numbers"
    return f"{kind} in {low}..{high}"


def _problem(leaf: SchemaLeaf, found: str, expected: str) -> Problem:
    fix = "stay inside the schema's range; a skill's author changes the schema itself"
    return Problem(where=f"--search {leaf.path}", found=found, expected=expected, fix=fix)
