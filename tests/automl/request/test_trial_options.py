"""Options of a study that nobody reads, or that cannot mean anything, are refused before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.request.trial_options import check_options

if TYPE_CHECKING:
    from automl.skill.model import JsonValue


def test_good_options_and_those_of_others_have_no_problem() -> None:
    options: dict[str, JsonValue] = {
        "silence_limit_s": 60,
        "trial_time_limit_s": 1.5,
        "explosion": False,
        "keep_checkpoints": "all",
        "replicate_seeds": 2,
        "grace_epochs": "left to its owner",
    }

    assert check_options(options, ("grace_epochs",)) == []


def test_a_misspelt_option_is_named_with_what_was_meant() -> None:
    (problem,) = check_options({"silence_limit": 60}, ())

    assert problem.where == "options.silence_limit"
    assert problem.fix == "did you mean silence_limit_s?"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("silence_limit_s", "10min"),
        ("trial_time_limit_s", 0),
        ("evaluate_limit_s", float("inf")),
        ("silence_limit_s", True),
        ("explosion", "no"),
        ("keep_checkpoints", "some"),
        ("replicate_seeds", 1.5),
        ("replicate_seeds", 1001),
    ],
)
def test_a_value_that_would_be_passed_over_is_a_problem(name: str, value: JsonValue) -> None:
    (problem,) = check_options({name: value}, ())

    assert (problem.where, problem.found) == (f"options.{name}", repr(value))
