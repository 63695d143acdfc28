"""Parameter paths and specs."""

from __future__ import annotations

import pytest

from automl.errors import ConfigurationError
from automl.spec.model import Spec, deep_merge, iterate_leaves, lay_over

SPEC = Spec(values={"a": {"b": 1}, "items": [1]})


@pytest.mark.parametrize("text", ["", "a..b", ".a", "a.", "a[x]", "a b.[", "a[01]"])
def test_what_is_no_path_cannot_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="parameter path"):
        SPEC.with_values({text: 1}, origin="x")
    assert not SPEC.has(text)


def test_a_path_has_names_and_indices() -> None:
    assert Spec(values={"a": {"b": [0, [1, {"c": 5}]]}}).get("a.b[1][1].c") == 5


def test_values_are_read_by_path_and_nothing_else_is_there() -> None:
    spec = Spec(values={"a": [{"b": None}]})

    assert spec.has("a[0].b")
    for path in ("a[1]", "a.b", "a[0].c", "a[0].b.d"):
        assert not spec.has(path)


def test_mappings_merge_and_everything_else_is_replaced() -> None:
    spec = Spec(values={"a": {"b": 1, "c": [1, 2]}})

    changed = spec.with_values({"a": {"c": [3]}, "d[0].e": 5}, origin="x")

    assert changed.values == {"a": {"b": 1, "c": [3]}, "d": [{"e": 5}]}
    assert spec.values == {"a": {"b": 1, "c": [1, 2]}}
    assert deep_merge({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


@pytest.mark.parametrize("path", ["a.b.c", "a.c[5]", "a.c.name", "a[0]"])
def test_a_path_that_does_not_fit_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be set"):
        Spec(values={"a": {"b": 1, "c": [1]}}).with_values({path: 1}, origin="x")


def test_leaves_are_values_lists_and_empty_mappings() -> None:
    assert dict(iterate_leaves({"a": {"b": 1, "c": {}}, "d": [1]})) == {"a.b": 1, "a.c": {}, "d": [1]}


def test_the_first_known_path_and_a_count_are_found() -> None:
    spec = Spec(values={"a": {"epochs": 3, "flag": True, "none": 0}})

    assert spec.first_of(["b", "a.epochs", "a"]) == "a.epochs"
    assert spec.first_of(["b"]) is None
    assert [spec.count(path) for path in ("a.epochs", "a.flag", "a.none", "b")] == [3, None, None, None]


def test_values_are_laid_over_and_levels_created() -> None:
    laid = lay_over(SPEC, {"a.b": 2, "c.d[0]": 3, "items[1]": 4}, "layer")

    assert laid.values == {"a": {"b": 2}, "items": [1, 4], "c": {"d": [3]}}
    assert laid.origins["a.b"] == "layer"
    assert SPEC.values == {"a": {"b": 1}, "items": [1]}


def test_every_path_that_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        lay_over(SPEC, {"a.b.c": 2, "items[7]": 3, "new": 1}, "layer")

    assert [problem.where for problem in caught.value.problems] == ["layer: a.b.c", "layer: items[7]"]


def test_paths_that_contradict_each_other_are_named_together() -> None:
    with pytest.raises(ConfigurationError, match="contradict"):
        lay_over(SPEC, {"x": 1, "x.y": 2}, "layer")
