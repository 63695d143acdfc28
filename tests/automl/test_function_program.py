"""A Python function as a training program."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import automl
from automl.errors import ConfigurationError
from automl.function_program import defaults_of, function_problems

if TYPE_CHECKING:
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

    assert list(tmp_path.iterdir()) == []


def test_only_plain_defaults_are_values_of_trial_0() -> None:
    def mixed(a: int = 1, b: object = (), c: str = "x", d: object = None) -> None:
        del a, b, c, d

    assert defaults_of(mixed) == {"a": 1, "c": "x"}
