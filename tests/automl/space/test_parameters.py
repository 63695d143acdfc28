"""Parameters and spaces: both ends reachable, positions and values inverse to each other."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.space.conditions import Condition, Relation, RelationKind
from automl.space.feasible import nearest_valid
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace

if TYPE_CHECKING:
    from automl.space.values import Scalar

FLOAT, INT = ParameterType.FLOAT, ParameterType.INT
CHILD = Parameter(path="c", type=INT, low=0, high=20)
CONTINUOUS = Parameter(path="c", type=FLOAT, low=0.0, high=20.0)
RANGES = [
    Parameter(path="x", type=FLOAT, low=-2.0, high=-0.5),
    Parameter(path="x", type=FLOAT, low=0.0, high=1.0),
    Parameter(path="x", type=FLOAT, low=1e-5, high=1e-1, log=True),
    Parameter(path="x", type=FLOAT, low=0.1, high=0.7, step=0.1),
    Parameter(path="x", type=INT, low=4, high=16),
    Parameter(path="x", type=INT, low=1, high=1000, log=True),
    Parameter(path="x", type=INT, low=64, high=1016, step=8.0),
    Parameter(path="x", type=INT, choices=(1, 2, 4, 8)),
    Parameter(path="x", type=ParameterType.BOOL, choices=(False, True)),
    Parameter(path="x", type=ParameterType.CATEGORICAL, choices=("a", "b", "c"), weights=(0.1, 0.1, 0.8)),
    Parameter(path="x", type=ParameterType.CATEGORICAL, choices=(True, 1, "1", None)),
]


@pytest.mark.parametrize("parameter", RANGES, ids=str)
@given(position=st.floats(0, 1))
def test_every_position_is_a_value_and_every_value_has_its_position(parameter: Parameter, position: float) -> None:
    value = parameter.from_unit(position)

    assert parameter.contains(value)
    again = parameter.from_unit(parameter.to_unit(value))
    if isinstance(value, float):
        assert isinstance(again, float)
        assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-12)
    else:
        assert again == value
        assert type(again) is type(value)


@pytest.mark.parametrize("parameter", [p for p in RANGES if not p.choices], ids=str)
def test_both_ends_are_reached_exactly(parameter: Parameter) -> None:
    assert (parameter.from_unit(0.0), parameter.from_unit(1.0)) == parameter.bounds


def test_each_int_has_an_equal_share() -> None:
    parameter = Parameter(path="x", type=INT, low=4, high=7)

    drawn = [parameter.from_unit((k + 0.5) / 1000) for k in range(1000)]

    assert {value: drawn.count(value) for value in set(drawn)} == {4: 250, 5: 250, 6: 250, 7: 250}


def test_each_decade_of_a_logarithmic_range_has_an_equal_share() -> None:
    parameter = Parameter(path="x", type=FLOAT, low=1e-5, high=1e-1, log=True)
    generator = random.Random(0)  # noqa: S311 # a seed, not a secret

    decades = [math.floor(math.log10(float(parameter.from_unit(generator.random()) or 0))) for _ in range(4000)]

    for decade in (-5, -4, -3, -2):
        assert 0.22 < decades.count(decade) / 4000 < 0.28


def test_each_decade_of_the_distance_to_one_has_an_equal_share() -> None:
    decay = Parameter(path="decay", type=ParameterType.FLOAT, low=0.9, high=0.9999, log_to_one=True, default=0.99)

    assert [decay.from_unit(share / 3) for share in range(4)] == pytest.approx([0.9, 0.99, 0.999, 0.9999])
    assert decay.to_unit(0.999) == pytest.approx(2 / 3)


def test_options_have_shares_by_their_weights() -> None:
    parameter = Parameter(path="x", type=ParameterType.CATEGORICAL, choices=("a", "b"), weights=(0.25, 0.75))

    drawn = [parameter.from_unit((k + 0.5) / 100) for k in range(100)]

    assert drawn.count("a") == 25


def test_steps_are_written_without_the_dust_of_floats() -> None:
    parameter = Parameter(path="x", type=FLOAT, low=0.1, high=0.7, step=0.1)

    assert parameter.nearest(0.31) == 0.3


def test_true_and_1_are_two_options() -> None:
    parameter = Parameter(path="x", type=ParameterType.CATEGORICAL, choices=(True, 1))

    assert parameter.to_unit(value=True) != parameter.to_unit(value=1)
    assert not Parameter(path="x", type=INT, low=0, high=3).contains(value=True)


@pytest.mark.parametrize(
    ("value", "position"), [(99.0, 1.0), (-99.0, 0.0), (None, 0.5), ("text", 0.5), (math.nan, 0.5), (True, 0.5)]
)
def test_a_default_outside_its_range_stands_at_the_nearest_end_or_in_the_middle(value: Scalar, position: float) -> None:
    assert Parameter(path="x", type=FLOAT, low=0.0, high=1.0).to_unit(value) == position


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 1.0, "high": math.inf},
        {"low": 2.0, "high": 1.0},
        {"low": 0.0, "high": 1.0, "log": True},
        {"low": None, "high": 1.0},
        {"choices": ("a",), "weights": (0.5, 0.5)},
    ],
)
def test_an_impossible_parameter_cannot_be_held(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="x"):
        Parameter(path="x", type=FLOAT, **wrong)  # type: ignore[arg-type] # wrong on purpose


def scheduler_space() -> SearchSpace:
    scheduler = Parameter(path="s", type=ParameterType.CATEGORICAL, choices=("step", "cosine"), default="cosine")
    step = Parameter(path="n", type=INT, low=1, high=9, default=99, condition=Condition(path="s", any_of=("step",)))
    inner = Parameter(path="m", type=INT, low=1, high=9, default=3, condition=Condition(path="n", any_of=(5,)))
    child = Parameter(path="c", type=INT, low=0, high=20, default=4)
    relation = Relation(path="c", kind=RelationKind.GREATER, parent="f")
    return SearchSpace(parameters=(scheduler, step, inner, child), relations=(relation,), fixed={"f": 7})


def test_trial_0_has_the_specs_own_values_even_outside_their_ranges() -> None:
    space = scheduler_space()

    assert space.default_assignment() == {"s": "cosine", "c": 4}
    assert space.repair({**space.default_assignment(), "s": "step"}) == {"s": "step", "n": 9, "c": 8}


def test_what_does_not_act_is_dropped_with_everything_below_it() -> None:
    space = scheduler_space()

    assert space.repair({"s": "step", "n": 5, "m": 2, "c": 9}) == {"s": "step", "n": 5, "m": 2, "c": 9}
    assert space.repair({"s": "cosine", "n": 5, "m": 2, "c": 9}) == {"s": "cosine", "c": 9}


def test_everything_that_is_wrong_with_an_assignment_is_said() -> None:
    said = scheduler_space().violations({"s": "cosine", "n": 5, "c": 3, "z": 1})

    assert said == ("z is not searched", "n does not act here", "c > f")
    assert scheduler_space().violations({"s": "step", "c": 99}) == ("n has no value", "c cannot be 99")


def test_the_size_counts_assignments() -> None:
    assert scheduler_space().size == 2 * 9 * 9 * 21
    assert SearchSpace(parameters=(RANGES[1],), fixed={}).size == math.inf


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


def test_options_are_repaired_to_the_nearest_option() -> None:
    powers = Parameter(path="c", type=ParameterType.INT, choices=(1, 2, 4, 8, 16))

    assert nearest_valid(powers, 16, (Relation(path="c", kind=RelationKind.LESS, parent="p"),), {"p": 8}) == 4


def test_without_a_valid_value_the_violation_stays_visible() -> None:
    relation = Relation(path="c", kind=RelationKind.GREATER, parent="p")

    assert nearest_valid(CHILD, 5, (relation,), {"p": 99}) == 5
