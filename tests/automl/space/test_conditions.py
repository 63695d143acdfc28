"""Conditions and relations."""

from __future__ import annotations

import pytest

from automl.space.conditions import Condition, Relation, RelationKind


def test_a_condition_holds_for_its_values_only() -> None:
    condition = Condition(path="a", any_of=(True,), also=(Condition(path="b", any_of=("x", "y")),))

    assert condition.holds({"a": True, "b": "y"})
    assert not condition.holds({"a": True, "b": "z"})
    assert not condition.holds({"a": 1, "b": "x"})
    assert not condition.holds({"b": "x"})
    assert condition.parents == ("a", "b")
    assert str(condition) == "a in {True} and b in {x, y}"


@pytest.mark.parametrize(
    ("kind", "value", "holds"),
    [
        (RelationKind.GREATER, 7, False),
        (RelationKind.GREATER, 8, True),
        (RelationKind.AT_LEAST, 7, True),
        (RelationKind.LESS, 7, False),
        (RelationKind.AT_MOST, 7, True),
        (RelationKind.NOT_EQUAL, 7, False),
    ],
)
def test_a_relation_compares_with_its_parent(kind: RelationKind, value: int, *, holds: bool) -> None:
    relation = Relation(path="c", kind=kind, parent="p")

    assert relation.holds(value, {"p": 7}) is holds
    assert relation.holds(value, {})
    assert relation.holds(value, {"p": "text"})


def test_a_derived_value_shows_as_an_equation() -> None:
    assert str(Relation(path="c", kind=RelationKind.DERIVED_QUOTIENT, parent="p", constant=4)) == "c = p / 4"
