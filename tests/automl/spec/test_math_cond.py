"""The notation of conditions on values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.spec.math_cond import Comparison, parse_math_cond


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [
        ("> 0.0", [Comparison(">", 0.0)]),
        (">0", [Comparison(">", 0.0)]),
        (">= 1", [Comparison(">=", 1.0)]),
        ("!= 0", [Comparison("!=", 0.0)]),
        ("> 0.0 <= 1.0", [Comparison(">", 0.0), Comparison("<=", 1.0)]),
        (">0<1e-3", [Comparison(">", 0.0), Comparison("<", 1e-3)]),
        ("> -1.5 and < .5", [Comparison(">", -1.5), Comparison("<", 0.5)]),
        ("", []),
        (None, []),
    ],
)
def test_comparisons_are_read_one_or_several_in_a_text(text: str | None, comparisons: list[Comparison]) -> None:
    condition = parse_math_cond(text, has_parent=False)

    assert condition is not None
    assert list(condition.comparisons) == comparisons


def test_a_slash_asks_for_multiples_and_a_hat_for_powers() -> None:
    multiples, powers = parse_math_cond("/ 8", has_parent=False), parse_math_cond("^ 2", has_parent=False)

    assert multiples is not None
    assert powers is not None
    assert (multiples.multiple_of, multiples.quotient_of) == (8.0, None)
    assert powers.power_of == 2


def test_a_slash_with_a_parent_derives_the_value() -> None:
    condition = parse_math_cond("/ 2", has_parent=True)

    assert condition is not None
    assert (condition.multiple_of, condition.quotient_of, condition.comparisons) == (None, 2.0, ())


def test_a_comparison_with_the_parent_keeps_the_slash_a_multiple() -> None:
    condition = parse_math_cond("> depends_on / 8", has_parent=True)

    assert condition is not None
    assert (condition.multiple_of, condition.comparisons) == (8.0, (Comparison(">", None),))


def test_a_parent_without_an_operator_is_an_upper_end() -> None:
    condition = parse_math_cond(None, has_parent=True)

    assert condition is not None
    assert condition.comparisons == (Comparison("<=", None),)


@pytest.mark.parametrize(
    "text", ["about 3", "> ", "3", "> x", "/ 0", "/ -2", "^ 1", "^ 2.5", "/ 2 / 3", "> 1 oops", "%2"]
)
def test_what_cannot_be_read_is_none(text: str) -> None:
    assert parse_math_cond(text, has_parent=False) is None


@pytest.mark.parametrize("value", [3, [">", 0], {"a": 1}, True])
def test_what_is_no_text_is_none(value: object) -> None:
    assert parse_math_cond(value, has_parent=False) is None  # type: ignore[arg-type] # strangers write anything


def test_a_comparison_with_a_parent_that_is_not_named_is_none() -> None:
    assert parse_math_cond("> depends_on", has_parent=False) is None


@given(st.text(alphabet="<>=!/^ 0123456789.e-depnds_on,", max_size=30), st.booleans())
def test_no_text_breaks_the_parser(text: str, has_parent: bool) -> None:  # noqa: FBT001 # from hypothesis
    parse_math_cond(text, has_parent=has_parent)
