"""A Python function as a training program."""

from __future__ import annotations

import functools
import math
import threading
from enum import IntEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

import automl
from automl.errors import ConfigurationError
from automl.function_program import arguments_of, defaults_of, function_problems, unused_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def train(lr: float, width: int = 4, *, checkpoint: str | None = None) -> None:
    del lr, width, checkpoint


def test_arguments_that_would_end_every_trial_are_found_before_it() -> None:
    def anything(**values: float) -> None:
        del values

    (missing,) = function_problems(train, ["width"])
    (unknown,) = function_problems(train, ["lr", "widt"])

    assert missing.found == "the argument lr, which gets no value"
    assert missing.where == "train(lr: 'float', width: 'int' = 4, *, checkpoint: 'str | None' = None) -> 'None'"
    assert (unknown.found, unknown.fix) == ("no argument widt", "did you mean width?")
    (no_function,) = function_problems("train", ["lr"])  # type: ignore[arg-type]  # as a user may
    assert no_function.found == "'train', whose arguments are unknown"
    assert not function_problems(train, ["lr"])
    assert not function_problems(anything, ["lr", "width"])


def test_a_function_that_cannot_be_sent_is_one_sentence(tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(lr: float = 0.1) -> float:
        with lock:
            return lr

    with pytest.raises(ConfigurationError) as raised:
        automl.tune(locked, {"lr": "1e-3..1 log"}, "val_loss minimize", results=tmp_path)

    (problem,) = raised.value.problems
    assert problem.where == "the function locked"
    assert problem.found.startswith("something that no other process can have: cannot pickle '_thread.lock' object")
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_the_arguments_is_raised_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the argument lr, which gets no value"):
        automl.tune(train, {"width": [1, 2]}, "val_loss minimize", results=tmp_path)

    with pytest.raises(ConfigurationError, match="nothing to search"):
        automl.tune(train, {}, "val_loss minimize", results=tmp_path)

    with pytest.raises(ConfigurationError, match="a mapping of arguments to their values"):
        automl.tune(train, ["lr"], "val_loss minimize", results=tmp_path)  # type: ignore[arg-type]  # as a user may

    assert list(tmp_path.iterdir()) == []


HALF, SEVEN, QUARTER = np.float32(0.5), np.int64(7), Fraction(1, 4)


class Size(IntEnum):
    SMALL = 1


def test_only_plain_defaults_are_values_of_trial_0() -> None:
    def mixed(a: int = 1, b: object = (), c: str = "x", d: object = None, *, checkpoint: str = "small") -> None:
        del a, b, c, d, checkpoint

    assert defaults_of(mixed, ["b"]) == {"a": 1, "c": "x"}


def test_a_default_that_is_not_finite_is_the_functions_own() -> None:
    def bounded(a: float = math.inf, b: float = math.nan, c: float = 1e308, d: int = 10**400) -> None:
        del a, b, c, d

    assert defaults_of(bounded, ["a"]) == {"c": 1e308, "d": 10**400}
    assert unused_defaults(bounded, ["a"]) == [
        "the default of a, inf, is neither a finite number nor a text: trial 0 has another value"
    ]


def test_a_default_that_is_a_number_of_a_library_is_a_value_of_trial_0() -> None:
    def trained(a: object = HALF, b: object = SEVEN, c: object = SEVEN, d: object = QUARTER) -> None:
        del a, b, c, d

    found = defaults_of(trained, ["a", "b", "d"])

    assert found == {"a": 0.5, "b": 7, "d": 0.25}
    assert [type(value) for value in found.values()] == [float, int, float]
    assert not unused_defaults(trained, ["a", "b", "d"])


def test_a_searched_default_that_is_no_value_is_named() -> None:
    def trained(size: Size = Size.SMALL, width: int | None = None, shape: object = (2, 3)) -> None:
        del size, width, shape

    assert defaults_of(trained, ["size", "width", "shape"]) == {}
    (said,) = unused_defaults(trained, ["size", "width"])
    assert said.startswith("the default of size, <Size.SMALL: 1>, is a member of an enumeration: the function gets")
    assert said.endswith("write Size[size] in it")


def chosen(lr: float = 0.1, kind: Literal["a", "b"] = "a", size: Literal[1, 2] = 1) -> float:
    del kind, size
    return lr


@pytest.mark.parametrize(
    ("search", "fixed", "found"),
    [
        ({"kind": ["a", "c"]}, {}, "c"),
        ({"size": (1, 2)}, {}, "a range"),
        ({"lr": (0.1, 0.2)}, {"kind": "d"}, "d"),
    ],
)
def test_what_a_literal_does_not_allow_is_refused(
    tmp_path: Path, search: dict[str, Any], fixed: dict[str, Any], found: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        automl.tune(chosen, search, "v maximize", results=tmp_path, set=fixed)

    (problem,) = caught.value.problems
    assert problem.found == found
    assert problem.expected in {"one of a, b", "one of 1, 2"}


def test_arguments_are_known_with_what_they_allow_whatever_their_annotations_are() -> None:
    def odd(a: NoSuchType, b: int = 1) -> None:  # type: ignore[name-defined] # noqa: F821 # as a user may
        del a, b

    assert arguments_of(chosen, []) == {"lr": [], "kind": ["a", "b"], "size": [1, 2]}
    assert arguments_of(functools.partial(chosen, lr=1.0), ["more"])["kind"] == ["a", "b"]
    assert arguments_of(odd, ["c"]) == {"a": [], "b": [], "c": []}


async def later(lr: float = 0.1) -> float:
    return lr


def steps(lr: float = 0.1) -> Iterator[float]:
    yield lr


class Training:
    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr


class Later:
    async def __call__(self, lr: float = 0.1) -> float:
        return lr


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (later, "an async function"),
        (functools.partial(later, lr=0.2), "an async function"),
        (Later(), "an async function"),
        (steps, "a generator"),
        (Training, "a class"),
    ],
)
def test_what_trains_nothing_when_it_is_called_is_refused(function: Any, kind: str) -> None:  # noqa: ANN401 # as a user may
    (problem,) = function_problems(function, ["lr"])

    assert problem.found.startswith(kind)


def test_a_positional_only_argument_is_named_once() -> None:
    def train_by_place(lr: float, width: int = 4, /, depth: int = 2) -> None:
        del lr, width, depth

    (needed,) = function_problems(train_by_place, ["lr"])
    (missing,) = function_problems(train_by_place, ["depth"])

    assert needed == missing
    assert (needed.found, needed.fix) == ("the positional-only argument lr", "take the / out of the function")
    assert defaults_of(train_by_place, ["depth"]) == {"depth": 2}


@pytest.mark.parametrize("settings", [{"search": {"checkpoint": ["a", "b"]}}, {"set": {"checkpoint": "a"}}])
def test_the_checkpoint_is_no_argument_with_values(tmp_path: Path, settings: dict[str, Any]) -> None:
    def go_on(lr: float = 0.1, checkpoint: str = "small") -> float:
        del checkpoint
        return lr

    with pytest.raises(ConfigurationError, match="give the argument another name"):
        automl.tune(go_on, settings.pop("search", {"lr": (0.1, 0.2)}), "v minimize", results=tmp_path, **settings)
