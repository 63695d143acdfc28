"""Ranges of users stay inside the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.space.derived import UserRange
from automl.space.selection import check_user_range
from automl.spec.math_cond import parse_math_cond
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from automl.skill.model import JsonValue

RATE = SchemaLeaf(
    path="lr", kind=LeafKind.FLOAT, minimum=0.0, maximum=1.0, math_cond=parse_math_cond("> 0", has_parent=False)
)
COUNT = SchemaLeaf(path="n", kind=LeafKind.INT, minimum=1)
FLAG = SchemaLeaf(path="f", kind=LeafKind.BOOL)
OPTION = SchemaLeaf(path="o", kind=LeafKind.CATEGORICAL, choices=("a", "b"))
TEXT = SchemaLeaf(path="t", kind=LeafKind.TEXT)


@pytest.mark.parametrize(
    ("leaf", "asked", "value"),
    [
        (RATE, UserRange(low=1e-5, high=1.0), 0.1),
        (RATE, UserRange(low=0.0, high=1.0), 0.1),
        (RATE, UserRange(choices=(0.1, 1)), 0.1),
        (COUNT, UserRange(low=1, high=10**9), 3),
        (COUNT, UserRange(choices=(0, 2)), 0),
        (FLAG, UserRange(choices=(True,)), False),
        (OPTION, UserRange(choices=("a", "c")), "c"),
        (TEXT, UserRange(choices=("x", "y")), ""),
    ],
)
def test_what_lies_inside_or_is_the_specs_own_value_is_accepted(
    leaf: SchemaLeaf, asked: UserRange, value: JsonValue
) -> None:
    assert not check_user_range(leaf, asked, value)


@pytest.mark.parametrize(
    ("leaf", "asked", "expected"),
    [
        (RATE, UserRange(low=-1.0, high=0.5), "numbers in 0..1"),
        (RATE, UserRange(low=0.1, high=1.5), "numbers in 0..1"),
        (RATE, UserRange(choices=(0.5, 7.0)), "numbers in 0..1"),
        (RATE, UserRange(choices=("a",)), "numbers in 0..1"),
        (COUNT, UserRange(low=1, high=2.5), "whole numbers"),
        (COUNT, UserRange(low=0, high=5), "whole numbers in 1..inf"),
        (COUNT, UserRange(choices=(1.5,)), "whole numbers"),
        (COUNT, UserRange(choices=(True,)), "whole numbers"),
        (FLAG, UserRange(low=0, high=1), "type bool"),
        (FLAG, UserRange(choices=("yes",)), "type bool"),
        (OPTION, UserRange(choices=("z",)), "one of a, b"),
        (OPTION, UserRange(low=0, high=1), "one of a, b"),
        (TEXT, UserRange(low=0, high=1), "type text"),
    ],
)
def test_what_lies_outside_is_named_with_what_the_schema_has(leaf: SchemaLeaf, asked: UserRange, expected: str) -> None:
    problems = check_user_range(leaf, asked, None)

    assert problems
    assert all(expected in problem.expected for problem in problems)
