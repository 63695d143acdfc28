"""Constraints and further objectives, read and checked."""

from __future__ import annotations

import math

import pytest

from automl.errors import ConfigurationError
from automl.study.objectives import Constraint, parse_constraints, split_objective, unmet


def test_constraints_are_read_with_and_without_blanks_in_both_directions() -> None:
    assert parse_constraints(["memory_gib <= 40", "val/d1>=0.5", "latency_ms<1e2"]) == (
        Constraint(metric="memory_gib", is_upper=True, bound=40.0),
        Constraint(metric="val/d1", is_upper=False, bound=0.5),
        Constraint(metric="latency_ms", is_upper=True, bound=100.0),
    )
    assert str(parse_constraints(["memory_gib<=40"])[0]) == "memory_gib <= 40"


def test_every_constraint_that_cannot_be_read_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_constraints(["memory_gib", "a <= b", "x <= nan", "fine <= 1"])

    assert [problem.found for problem in caught.value.problems] == ["memory_gib", "a <= b", "x <= nan"]


def test_the_bound_itself_is_allowed_and_a_miss_has_its_size() -> None:
    (upper, lower) = parse_constraints(["m <= 40", "m >= 10"])

    assert [upper.violation({"m": value}) for value in (40.0, 42.0)] == [0.0, 2.0]
    assert lower.violation({"m": 7.0}) == 3.0
    assert upper.violation({}) is None
    assert upper.violation({"m": math.nan}) is None


def test_what_was_not_measured_is_not_kept() -> None:
    constraints = parse_constraints(["m <= 40", "n <= 1"])

    assert unmet(constraints, {"m": 1.0, "n": 0.5}) == ()
    assert unmet(constraints, {"m": 41.0}) == ("m is 41, not m <= 40", "n was not measured, so n <= 1 is not known")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("val/d1:maximize", ("val/d1", "maximize")),
        ("latency_ms:min", ("latency_ms", "minimize")),
        ("val/d1", ("val/d1", None)),
        ("odd:name", ("odd:name", None)),
        ("odd:name:max", ("odd:name", "maximize")),
    ],
)
def test_an_objective_may_name_its_direction(text: str, expected: tuple[str, str | None]) -> None:
    assert split_objective(text) == expected
