"""Typed fields of untyped mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.skill.fields import Fields, Findings, as_flag, is_parameter_path, kind_of

if TYPE_CHECKING:
    from automl.skill.model import JsonValue


def fields(**values: JsonValue) -> Fields:
    return Fields(values, "block", Findings("file.yaml"))


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), ("TRUE", True), ("on", True), (1, True), (None, False), ("off", False), ("", False), (0, False)],
)
def test_a_flag_has_many_spellings(value: JsonValue, flag: bool) -> None:  # noqa: FBT001 # a parameter of the test
    assert as_flag(value) is flag


@pytest.mark.parametrize("value", ["maybe", 2, [True], {"a": 1}, 1.5])
def test_what_is_no_flag_is_none(value: JsonValue) -> None:
    assert as_flag(value) is None


def test_every_wrong_type_is_recorded_with_its_path() -> None:
    wrong = fields(name=7, on="maybe", inner="text", names=["a", 3])

    assert wrong.text("name") is None
    assert wrong.flag("on") is False
    assert wrong.mapping("inner").values == {}
    assert wrong.texts("names") == ("a",)

    assert [p.where for p in wrong.findings.problems] == [
        "file.yaml: block.name",
        "file.yaml: block.on",
        "file.yaml: block.inner",
    ]
    assert [w.where for w in wrong.findings.warnings] == ["file.yaml: block.names[1]"]


def test_a_missing_required_text_is_a_problem_and_a_missing_optional_one_is_none() -> None:
    empty = fields(blank="")

    assert empty.text("blank") is None
    assert not empty.findings.problems
    assert empty.text("absent", is_required=True) is None
    assert empty.findings.problems[0].found == "nothing"


@pytest.mark.parametrize("path", ["a", "train.optim.lr", "a.b[0].c", "a[0][1]", "norm-type", "val R@1.x"])
def test_a_parameter_path_has_names_and_indices(path: str) -> None:
    assert is_parameter_path(path)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[01]", "a]b"])
def test_anything_else_is_no_parameter_path(path: str) -> None:
    assert not is_parameter_path(path)


def test_a_long_value_is_named_by_its_kind_alone() -> None:
    assert kind_of(["x" * 100]) == "a list"
    assert kind_of(3) == "a whole number, 3"
    assert kind_of(None) == "nothing"
