from __future__ import annotations

import pytest

from depth_net.config.problems import SpecProblem, closest, spec_error

KNOWN = ("train.optim.lr", "train.num_epochs", "train.precision", "model.encoder", "model.max_disparity")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("train.lr", "train.optim.lr"),
        ("lr", "train.optim.lr"),
        ("train.num_epoch", "train.num_epochs"),
        ("train.precison", "train.precision"),
        ("model.encodr", "model.encoder"),
        ("train.nothing_like_it", None),
        ("Train", "train"),
        ("trian", "train"),
        ("train.optim.learning_rate", "train.optim.lr"),
        ("train.epochs", "train.num_epochs"),
    ],
)
def test_the_closest_key_is_the_one_that_was_meant(written: str, meant: str | None) -> None:
    assert closest(written, KNOWN) == meant


def test_an_error_lists_every_problem_with_its_four_parts() -> None:
    problem = SpecProblem(where="a.b", found="1", expected="2", fix="write 2")

    text = str(spec_error([problem, problem], "s.yaml"))

    assert text.startswith("2 problems in the spec s.yaml")
    assert text.count("a.b\n  found     1\n  expected  2\n  fix       write 2") == 2
