"""Conditions and relations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.space.conditions import Condition, Relation, RelationKind, is_same, nearest_valid
from automl.space.parameters import Parameter, ParameterType

CHILD = Parameter(path="c", type=ParameterType.INT, low=0, high=20)
CONTINUOUS = Parameter(path="c", type=ParameterType.FLOAT, low=0.0, high=20.0)


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


@given(
    value=st.integers(0, 20),
    low=st.integers(-5, 25),
    high=st.integers(-5, 25),
    parameter=st.sampled_from([CHILD, CONTINUOUS]),
)
def test_the_nearest_valid_value_satisfies_every_relation_if_any_value_does(
    value: int, low: int, high: int, parameter: Parameter
) -> None:
    relations = (
        Relation(path="c", kind=RelationKind.GREATER, parent="low"),
        Relation(path="c", kind=RelationKind.LESS, parent="high"),
        Relation(path="c", kind=RelationKind.NOT_EQUAL, constant=3),
    )
    known = {"low": low, "high": high}
    possible = [v for v in range(21) if low < v < high and v != 3]

    found = nearest_valid(parameter, value, relations, known)

    if possible:
        assert all(relation.holds(found, known) for relation in relations)
        assert parameter.contains(found)
    if value in possible:
        assert found == value


def test_a_derived_value_follows_its_parent() -> None:
    relation = Relation(path="c", kind=RelationKind.DERIVED_QUOTIENT, parent="p", constant=4)

    assert nearest_valid(CHILD, 19, (relation,), {"p": 30}) == 7
    assert str(relation) == "c = p / 4"


def test_options_are_repaired_to_the_nearest_option() -> None:
    powers = Parameter(path="c", type=ParameterType.INT, choices=(1, 2, 4, 8, 16))

    assert nearest_valid(powers, 16, (Relation(path="c", kind=RelationKind.LESS, parent="p"),), {"p": 8}) == 4


def test_without_a_valid_value_the_violation_stays_visible() -> None:
    relation = Relation(path="c", kind=RelationKind.GREATER, parent="p")

    assert nearest_valid(CHILD, 5, (relation,), {"p": 99}) == 5


def test_booleans_are_not_numbers() -> None:
    assert not is_same(True, 1)  # noqa: FBT003 # the point of the test
    assert is_same(1, 1.0)
