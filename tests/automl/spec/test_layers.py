"""Laying values over a spec."""

from __future__ import annotations

import pytest

from automl.errors import ConfigurationError
from automl.spec.layers import lay_over
from automl.spec.model import Spec

SPEC = Spec(values={"a": {"b": 1}, "items": [1]})


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
