"""Rows of the doctor's table, and what they become when they stop a run."""

from __future__ import annotations

from automl.errors import Problem
from automl.preflight.findings import bad, doubt, failures, from_problem, good

ROWS = (good("disk", "9 GiB free"), doubt("time", "long", fix="wait"), bad("gpus", "none", expected="1", fix="buy one"))


def test_only_failures_stop_a_run() -> None:
    assert [finding.check for finding in failures(ROWS)] == ["gpus"]


def test_a_failure_and_a_problem_say_the_same() -> None:
    problem = Problem(where="gpus", found="none", expected="1", fix="buy one")

    assert failures(ROWS)[0].problem() == problem
    assert from_problem(problem) == ROWS[2]


def test_json_has_the_level_as_a_word() -> None:
    assert ROWS[1].document()["level"] == "warn"
