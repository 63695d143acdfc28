"""Parents and children: every assignment of the parents leaves the children a value."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.space.conditions import Condition, Relation, RelationKind
from automl.space.parameters import Parameter, ParameterType
from automl.space.relations import bind, relations_of
from automl.spec.math_cond import parse_math_cond
from automl.spec.model import Spec

if TYPE_CHECKING:
    from automl.skill.model import JsonValue
    from automl.space.search_space import SearchSpace


def number(path: str, low: float, high: float) -> Parameter:
    return Parameter(path=path, type=ParameterType.INT, low=low, high=high)


def powers(path: str) -> Parameter:
    return Parameter(path=path, type=ParameterType.INT, choices=(1, 2, 4, 8, 16))


def bound(parameters: list[Parameter], relations: list[Relation], **fixed: JsonValue) -> SearchSpace:
    return bind({p.path: p for p in parameters}, relations, Spec(values=fixed))


def test_the_notation_becomes_relations() -> None:
    greater = relations_of("c", parse_math_cond("> depends_on", has_parent=True), ["p", "q"])
    plain = relations_of("c", parse_math_cond("", has_parent=True), ["p"])
    quotient = relations_of("c", parse_math_cond("/ 4", has_parent=True), ["p"])
    forbidden = relations_of("c", parse_math_cond("!= 0 >= -5", has_parent=False), [])

    assert [str(r) for r in greater] == ["c > p", "c > q"]
    assert [str(r) for r in plain] == ["c <= p"]
    assert [str(r) for r in quotient] == ["c = p / 4"]
    assert "c != 0" in [str(r) for r in forbidden]


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        (RelationKind.GREATER, (8, 20)),
        (RelationKind.AT_LEAST, (7, 20)),
        (RelationKind.LESS, (0, 6)),
        (RelationKind.AT_MOST, (0, 7)),
        (RelationKind.NOT_EQUAL, (0, 20)),
    ],
)
def test_a_parent_outside_the_space_cuts_its_child(kind: RelationKind, bounds: tuple[int, int]) -> None:
    found = bound([number("c", 0, 20)], [Relation(path="c", kind=kind, parent="p")], p=7)

    assert list(found["c"].bounds) == list(bounds)
    assert found.fixed == {"p": 7}


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        (RelationKind.GREATER, (0, 19)),
        (RelationKind.AT_LEAST, (0, 20)),
        (RelationKind.LESS, (11, 50)),
        (RelationKind.AT_MOST, (10, 50)),
    ],
)
def test_a_parent_inside_the_space_loses_what_its_child_cannot_follow(
    kind: RelationKind, bounds: tuple[int, int]
) -> None:
    relation = Relation(path="c", kind=kind, parent="p")

    found = bound([number("c", 10, 20), number("p", 0, 50)], [relation])

    assert list(found["p"].bounds) == list(bounds)
    assert list(found.paths) == ["p", "c"]


def test_options_are_cut_like_ranges() -> None:
    greater = Relation(path="c", kind=RelationKind.GREATER, parent="p")

    assert bound([powers("c")], [greater], p=4)["c"].choices == (8, 16)
    assert bound([powers("c"), number("p", 0, 50)], [greater])["p"].bounds == (0, 15)
    assert bound([powers("c"), powers("p")], [greater])["p"].choices == (1, 2, 4, 8)


def test_a_grid_is_cut_at_its_own_points() -> None:
    grid = Parameter(path="c", type=ParameterType.INT, low=8, high=64, step=8)

    cut = bound([grid], [Relation(path="c", kind=RelationKind.GREATER, parent="p")], p=20)["c"]

    assert list(cut.bounds) == [24, 64]


def test_a_child_without_any_value_is_left_out_with_the_reason() -> None:
    found = bound([number("c", 0, 20)], [Relation(path="c", kind=RelationKind.GREATER, parent="p")], p=99)

    assert not found.parameters
    assert found.left_out[0].reason == "no value satisfies c > p, which is 99"


def test_a_value_derived_from_a_fixed_one_is_not_free() -> None:
    relation = Relation(path="c", kind=RelationKind.DERIVED_QUOTIENT, parent="p", constant=4)

    assert "not free" in bound([number("c", 0, 20)], [relation], p=40).left_out[0].reason
    assert bound([number("c", 2, 20), number("p", 0, 500)], [relation])["p"].bounds == (8, 83)


def test_a_parent_keeps_only_what_its_derived_value_can_follow() -> None:
    child = Parameter(path="c", type=ParameterType.FLOAT, default=0, low=0.25, high=1.0)
    relation = Relation(path="c", kind=RelationKind.DERIVED_QUOTIENT, parent="p", constant=2)

    space = bound([number("p", 1, 20), child], [relation])

    assert list(space["p"].bounds) == [2, 3]
    assert not any(space.violations(space.from_unit({"p": k / 9, "c": 0.5})) for k in range(10))


def test_parameters_in_a_cycle_are_left_out() -> None:
    cycle = [
        Relation(path="a", kind=RelationKind.GREATER, parent="b"),
        Relation(path="b", kind=RelationKind.GREATER, parent="a"),
    ]

    found = bound([number("a", 0, 9), number("b", 0, 9), number("c", 0, 9)], cycle)

    assert list(found.paths) == ["c"]
    assert "cycle" in found.left_out[0].reason


@pytest.mark.parametrize("parent", ["text", None, True, [3]])
def test_a_parent_without_a_number_constrains_nothing(parent: JsonValue) -> None:
    found = bound([number("c", 0, 20)], [Relation(path="c", kind=RelationKind.GREATER, parent="p")], p=parent)

    assert found["c"].bounds == (0, 20)


def test_a_relation_to_a_value_that_nothing_has_is_said_not_to_be_kept() -> None:
    found = bound([number("c", 0, 20)], [Relation(path="c", kind=RelationKind.GREATER, parent="gone")])

    assert found["c"].reason.endswith("c > gone is not kept: gone has no value")


def test_the_parent_of_a_condition_comes_first_too() -> None:
    acting = Parameter(path="a", type=ParameterType.INT, low=0, high=9, condition=Condition(path="z", any_of=(True,)))
    switch = Parameter(path="z", type=ParameterType.BOOL, choices=(False, True))

    assert list(bound([acting, switch], []).paths) == ["z", "a"]


@pytest.mark.parametrize(("kind", "bounds"), [(RelationKind.GREATER, (10, 21)), (RelationKind.AT_MOST, (1, 15))])
def test_a_derived_range_is_widened_and_the_range_of_its_parent_stays(
    kind: RelationKind, bounds: tuple[int, int]
) -> None:
    child = Parameter(path="c", type=ParameterType.INT, low=10, high=15, reach=(0, 1000))

    space = bound([number("p", 1, 20), child], [Relation(path="c", kind=kind, parent="p")])

    assert (list(space["p"].bounds), list(space["c"].bounds)) == ([1, 20], list(bounds))
    assert space["c"].reason == f"; c {kind.value} p"


def test_a_range_that_is_widened_takes_its_own_children_along() -> None:
    def free(path: str, low: float, high: float) -> Parameter:
        return replace(number(path, low, high), reach=(0.0, math.inf))

    relations = [
        Relation(path="top", kind=RelationKind.GREATER, parent="middle"),
        Relation(path="top", kind=RelationKind.GREATER, parent="low"),
        Relation(path="middle", kind=RelationKind.GREATER, parent="low"),
    ]
    found = bound([number("low", 0, 30), free("middle", 4, 18), free("top", 2, 10)], relations)

    assert [found[path].bounds for path in ("low", "middle", "top")] == [(0, 30), (4, 31), (2, 32)]
    assert not found.violations(found.from_unit(dict.fromkeys(found.paths, 1.0)) | {"low": 30})


def test_values_that_a_relation_forbids_are_spread_over_the_others() -> None:
    child = Parameter(path="c", type=ParameterType.FLOAT, low=0.0, high=100.0)
    parent = Parameter(path="p", type=ParameterType.FLOAT, low=0.0, high=100.0)
    space = bound([parent, child], [Relation(path="c", kind=RelationKind.GREATER, parent="p")])
    generator = random.Random(0)  # noqa: S311 # a seed, not a secret

    drawn = [space.from_unit({"p": 0.6, "c": generator.random()})["c"] for _ in range(2000)]

    values = sorted(float(value or 0) for value in drawn)
    assert values[0] > 60
    assert sum(value < 61 for value in values) / 2000 < 0.04
    assert 79 < values[1000] < 81


def test_the_first_trial_holds_a_relation_that_the_user_s_value_breaks() -> None:
    child = Parameter(path="c", type=ParameterType.INT, low=0, high=20, default=5)

    space = bound([child], [Relation(path="c", kind=RelationKind.GREATER, parent="p")], p=8)

    assert space.default_assignment() == {"c": 9}
    assert space["c"].reason.endswith("first 9 instead of 5")


def test_a_parent_does_not_lead_its_child_to_the_one_value_that_is_excluded() -> None:
    child = replace(number("c", 1, 40), reach=(0.0, 40.0))
    excluded = Relation(path="c", kind=RelationKind.NOT_EQUAL, constant=0.0)
    space = bound([child, number("p", 0, 30)], [excluded, Relation(path="c", kind=RelationKind.AT_MOST, parent="p")])

    drawn = [space.from_unit({"p": k / 60, "c": place}) for k in range(61) for place in (0.0, 0.5, 1.0)]

    assert [assignment for assignment in drawn if space.violations(assignment)] == []
    assert {assignment["c"] for assignment in drawn if assignment["p"] == 1} == {1}
