from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from depth_net.config.references import resolve_references

if TYPE_CHECKING:
    from depth_net.config.problems import SpecProblem


def resolved(tree: dict[str, Any]) -> tuple[dict[str, Any], list[SpecProblem]]:
    problems: list[SpecProblem] = []
    return resolve_references(tree, {"model": {"encoder": "vitl"}}, problems), problems


def test_a_reference_has_the_value_and_type_of_its_key() -> None:
    tree, problems = resolved({"a": 3, "b": "${a}", "c": ["x-${a}-${model.encoder}"], "d": "${c[0]}"})

    assert (tree["b"], tree["c"], tree["d"]) == (3, ["x-3-vitl"], "x-3-vitl")
    assert not problems


@pytest.mark.parametrize("text", ["${eval:'1+1'}", "${oc.env:HOME}", "${nowhere}", "${loop}"])
def test_functions_and_circles_are_refused(text: str) -> None:
    _, problems = resolved({"loop": "${loop}", "group": {"key": text}})

    assert "group.key" in [problem.where for problem in problems]
