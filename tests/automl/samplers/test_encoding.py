from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automl.samplers.encoding import Encoder
from automl.space.conditions import Condition, Relation, RelationKind
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.testing.studies import MIXED

POSITIONS = st.lists(st.floats(0, 1), min_size=len(MIXED.parameters), max_size=len(MIXED.parameters))


@given(POSITIONS)
def test_a_point_becomes_a_valid_assignment_and_comes_back(positions: list[float]) -> None:
    encoder = Encoder(MIXED)
    point = encoder.snap(np.array([positions]))[0]

    assignment = encoder.assignment(point)

    assert MIXED.violations(assignment) == ()
    again = encoder.assignment(encoder.points([assignment])[0])
    assert {k: v for k, v in again.items() if k != "lr"} == {k: v for k, v in assignment.items() if k != "lr"}
    rate, known = again["lr"], assignment["lr"]
    assert isinstance(rate, float)
    assert isinstance(known, float)
    np.testing.assert_allclose(rate, known)


@given(POSITIONS)
def test_snapping_twice_changes_nothing(positions: list[float]) -> None:
    encoder = Encoder(MIXED)
    once = encoder.snap(np.array([positions]))

    np.testing.assert_array_equal(encoder.snap(once), once)


def test_both_ends_of_every_range_are_reached() -> None:
    encoder = Encoder(MIXED)

    low, high = (encoder.assignment(encoder.snap(np.full((1, encoder.dimensions), x))[0]) for x in (0.0, 1.0))

    assert (low["lr"], low["batch"], low["crop"], low["drop"], low["width"]) == (1e-5, 4, 14, 0.0, 16)
    assert (high["lr"], high["batch"], high["crop"], high["drop"], high["width"]) == (1.0, 64, 140, 0.5, 64)


def test_any_two_options_without_an_order_are_equally_far_apart() -> None:
    space = SearchSpace(
        parameters=(Parameter(path="o", type=ParameterType.CATEGORICAL, choices=("a", "b", "c"), default="a"),),
        fixed={},
    )
    encoder = Encoder(space)

    rows = encoder.features(encoder.snap(encoder.points([{"o": o} for o in "abc"])))

    distances = [np.linalg.norm(rows[i] - rows[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(distances, 1.0)


def test_a_parameter_that_does_not_act_adds_no_distance() -> None:
    encoder = Encoder(MIXED)
    base = {**MIXED.default_assignment(), "optimizer": "adam"}

    rows = encoder.snap(encoder.points([{**base, "momentum": 0.1}, {**base, "momentum": 0.8}]))

    np.testing.assert_array_equal(rows[0], rows[1])


def test_true_and_one_are_two_values() -> None:
    space = SearchSpace(
        parameters=(Parameter(path="o", type=ParameterType.CATEGORICAL, choices=(1, True, "x"), default=1),), fixed={}
    )
    encoder = Encoder(space)

    assert encoder.assignment(encoder.points([{"o": True}])[0])["o"] is True
    assert encoder.assignment(encoder.points([{"o": 1}])[0])["o"] is not True


def test_a_parameter_under_several_conditions_acts_where_all_of_them_hold() -> None:
    both = Condition(path="optimizer", any_of=("sgd",), also=(Condition(path="deep", any_of=(True,)),))
    fixed_too = Condition(path="frozen", any_of=("no",), also=(Condition(path="deep", any_of=(True,)),))
    space = SearchSpace(
        parameters=(
            Parameter(path="optimizer", type=ParameterType.CATEGORICAL, choices=("sgd", "adam"), default="adam"),
            Parameter(path="deep", type=ParameterType.BOOL, choices=(True, False), default=False),
            Parameter(path="momentum", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.9, condition=both),
            Parameter(path="depth", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.5, condition=fixed_too),
        ),
        fixed={"frozen": "no"},
    )
    encoder = Encoder(space)
    spread = np.random.default_rng(0).random((200, 4))

    snapped = encoder.snap(spread)

    for point in snapped:
        active = encoder.assignment(point)
        assert (point[2] != encoder.default_point[2]) == ("momentum" in active)
        assert (point[3] != encoder.default_point[3]) == ("depth" in active)
    assert {"momentum" in encoder.assignment(p) for p in snapped} == {True, False}


def test_candidates_are_values_that_exist_and_neighbours_differ_from_their_centre() -> None:
    encoder = Encoder(MIXED)
    generator = np.random.default_rng(0)
    spread = encoder.spread(200, generator)

    near = encoder.nearby(spread[:1], 100, 0.05, generator)

    np.testing.assert_array_equal(encoder.snap(spread), spread)
    assert np.abs(near - spread[0]).max(axis=1).astype(bool).mean() > 0.5
    assert np.abs(near - spread[0]).mean() < np.abs(spread - spread[0]).mean()


def test_a_value_that_a_relation_moves_is_no_longer_at_its_point() -> None:
    space = SearchSpace(
        parameters=(
            Parameter(path="low", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.5),
            Parameter(path="high", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.5),
        ),
        relations=(Relation(path="high", kind=RelationKind.GREATER, parent="low"),),
        fixed={},
    )
    encoder = Encoder(space)
    held, broken = np.array([0.3, 0.6]), np.array([0.6, 0.3])

    assert encoder.is_at(encoder.assignment(held), held)
    assert not encoder.is_at(encoder.assignment(broken), broken)


def test_a_default_that_is_no_option_is_at_the_nearest_number_beside_a_text() -> None:
    space = SearchSpace(
        parameters=(Parameter(path="o", type=ParameterType.CATEGORICAL, choices=("none", 0.5), default=0.02),),
        fixed={},
    )

    assert Encoder(space).assignment(Encoder(space).default_point) == {"o": 0.5}
