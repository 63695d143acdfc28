"""Overrides as text and as data."""

from __future__ import annotations

import pytest

from automl.errors import ConfigurationError
from automl.spec.overrides import check_paths, closest, flatten, parse_override
from automl.spec.typed import typed

KNOWN = (
    "train.optim.lr",
    "train.optim.momentum",
    "train.num_epochs",
    "dataset.workers",
    "quantize.kwargs",
    "model.sizes",
)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("train.optim.lr=1e-4", "train.optim.lr", 1e-4),
        (" a.b = 16", "a.b", 16),
        ("a.b=on", "a.b", True),
        ("a.b='16'", "a.b", "16"),
        ("a.b=", "a.b", ""),
        ("a.b=x=y", "a.b", "x=y"),
        ("a[0]=[1, 2]", "a[0]", [1, 2]),
        ("a=null", "a", None),
    ],
)
def test_an_override_is_a_path_and_a_value(text: str, path: str, value: object) -> None:
    found, read = parse_override(text)

    assert (found, typed(read, None)) == (path, value)


def test_a_float_in_scientific_notation_is_a_float() -> None:
    assert isinstance(typed(parse_override("a=1e-4")[1], None), float)
    assert isinstance(typed(parse_override("a=16")[1], None), int)


@pytest.mark.parametrize("text", ["a.b", "=3", "a..b=1"])
def test_a_bad_override_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="path=value"):
        parse_override(text)


def test_nested_dotted_and_mixed_overrides_are_the_same() -> None:
    nested = flatten({"train": {"optim": {"lr": 1}, "seed": 2}, "train.optim.eps": 3, "a": {"b.c": 4, "d": {}}})

    assert nested == {"train.optim.lr": 1, "train.seed": 2, "train.optim.eps": 3, "a.b.c": 4, "a.d": {}}


def test_a_key_that_is_no_path_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        flatten({"a": {"b..c": 1}})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("train.optim.lrr", "train.optim.lr"),
        ("train.optim.momentun", "train.optim.momentum"),
        ("train.optm.lr", "train.optim.lr"),
        ("train.lr", "train.optim.lr"),
        ("train.num_epoch", "train.num_epochs"),
    ],
)
def test_a_near_miss_is_a_problem_with_the_suggestion(wrong: str, right: str) -> None:
    check = check_paths([wrong], KNOWN, where="overrides")

    assert right in check.problems[0].fix
    assert not check.warnings


@pytest.mark.parametrize("new", ["train.optim.nesterov", "augmentation.mosaic", "dataset.fps"])
def test_a_genuinely_new_parameter_is_only_a_warning(new: str) -> None:
    check = check_paths([new], KNOWN, where="overrides")

    assert not check.problems
    assert check.warnings


@pytest.mark.parametrize("path", ["train.optim.lr", "train.optim", "quantize.kwargs.alpha", "model.sizes[2]"])
def test_blocks_elements_and_members_of_known_values_are_known(path: str) -> None:
    check = check_paths([path], KNOWN, where="overrides")

    assert not check.problems
    assert not check.warnings


def test_nothing_is_close_to_something_else_entirely() -> None:
    assert closest("wandb.project", KNOWN) is None
