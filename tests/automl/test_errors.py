"""Errors: their exit statuses and what a person reads."""

from __future__ import annotations

import pytest

from automl import errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.AutomlError, 1),
        (errors.ConfigurationError, 2),
        (errors.NothingToRunError, 3),
        (errors.LaunchError, 4),
        (errors.StudyFailedError, 5),
        (errors.ResumeMismatchError, 6),
        (errors.InterruptedStudyError, 130),
    ],
)
def test_each_error_has_its_own_exit_status(error: type[errors.AutomlError], status: int) -> None:
    assert error.exit_status == status


def test_a_configuration_error_shows_every_problem_with_all_its_parts() -> None:
    problems = [
        errors.Problem(where="a.yaml: x", found="1", expected="2", fix="write 2"),
        errors.Problem(where="a.yaml: y", found="3", expected="4", fix="write 4"),
    ]

    text = str(errors.ConfigurationError.from_problems(problems, subject="the study"))

    assert text.splitlines()[0] == "2 problems in the study"
    for part in ("a.yaml: x", "found     1", "expected  2", "fix       write 2", "a.yaml: y", "fix       write 4"):
        assert part in text


def test_one_problem_is_counted_in_the_singular() -> None:
    problem = errors.Problem(where="a", found="b", expected="c", fix="d")

    assert str(errors.ConfigurationError.from_problems([problem], subject="the spec")).startswith(
        "1 problem in the spec"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["adam", "sgd", None], "adam, sgd, None"),
        ([f"o{n:03d}" for n in range(15_000)], "o000, o001, o002, ... 15,000 options"),
        (["x" * 1000] * 1500, "xxxx..., xxxx..., ... 1,500 options"),
        (["x" * 1000], "xxxx..."),
    ],
)
def test_of_many_options_the_first_and_their_number_are_shown(options: list[object], text: str) -> None:
    assert errors.options_text(options, width=21) == text
