"""What ``--search`` understands."""

from __future__ import annotations

import pytest

from automl.config_files import Spelled
from automl.space.derived import UserRange
from automl.space.selection import Selection, read_selection

KNOWN = ("train.optim.lr", "train.optim.momentum", "train.betas", "model.depth")


def read(*items: str) -> Selection:
    selection, problems = read_selection(items, known=KNOWN, aliases={"learning_rate": "train.optim.lr"})
    assert not problems
    return selection


def problem_of(item: str) -> str:
    _, problems = read_selection([item], known=KNOWN, aliases={})
    assert len(problems) == 1
    return f"{problems[0].found} | {problems[0].expected} | {problems[0].fix}"


def test_without_items_the_skills_own_space_is_meant() -> None:
    assert read().is_default
    assert not read("all").is_default
    assert read("all").is_all
    assert read("default", "model.depth").is_default


def test_paths_patterns_and_aliases_name_parameters() -> None:
    assert read("model.depth", "learning_rate").exact == ["model.depth", "train.optim.lr"]
    assert read("train.optim.*").matched == ["train.optim.lr", "train.optim.momentum"]
    assert read("train.betas[1]").exact == ["train.betas[1]"]


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("1e-5..1e-3", UserRange(low=1e-5, high=1e-3)),
        ("1e-5 .. 1e-3 : log", UserRange(low=1e-5, high=1e-3, log=True)),
        ("0.1..0.9:linear", UserRange(low=0.1, high=0.9, log=False)),
        ("-2..-1", UserRange(low=-2, high=-1)),
        ("5..5", UserRange(low=5, high=5)),
        ("010..0o20", UserRange(low=10, high=16)),
        ("{1, 2, 4}", UserRange(choices=("1", "2", "4"))),
        ("{a,'1',on}", UserRange(choices=("a", "1", "on"))),
        ("{1e-4}", UserRange(choices=("1e-4",))),
        ("{a,a}", UserRange(choices=("a",))),
        ("1e-5..1e-1 log", UserRange(low=1e-5, high=1e-1, log=True)),
        ("1e-3..1 log elastic", UserRange(low=1e-3, high=1, log=True, is_elastic=True)),
        ("2..8:elastic", UserRange(low=2, high=8, is_elastic=True)),
        ("0.8..0.99 one_minus_log", UserRange(low=0.8, high=0.99, log=False, log_to_one=True)),
        ('["a,b", "c"]', UserRange(choices=("a,b", "c"))),
        ('{"a,b", " c"}', UserRange(choices=("a,b", " c"))),
        ('[a, "1", 1]', UserRange(choices=("a", "1", Spelled("1", 1)))),
        ('["x when y=1", " "] when opt=" a"', UserRange(choices=("x when y=1", " "), when=(("opt", (" a",)),))),
        ('[1] when o="b and c=1" and p=2', UserRange(choices=("1",), when=(("o", ("b and c=1",)), ("p", ("2",))))),
        ("1..2 when opt=sgd", UserRange(low=1, high=2, when=(("opt", ("sgd",)),))),
        ("{a} when o={x,y} and on=true", UserRange(choices=("a",), when=(("o", ("x", "y")), ("on", ("true",))))),
    ],
)
def test_ranges_and_options_are_read(value: str, asked: UserRange) -> None:
    assert read(f"train.optim.lr={value}").ranges == {"train.optim.lr": asked}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("train.optim.lrr", "did you mean train.optim.lr?"),
        ("train.optim.lrr=1..2", "did you mean train.optim.lr?"),
        ("nothing.like.it", "automl space"),
        ("wandb.*", "fits no parameter"),
        ("train.*=1..2", "range for a pattern"),
        ("model.depth=3", "low..high"),
        ("model.depth=", "low..high"),
        ("model.depth=a..b", "low..high"),
        ("model.depth=1..inf", "low..high"),
        ("model.depth=1..nan", "low..high"),
        ("model.depth=1..2:sqrt", "low..high"),
        ("model.depth=0...1", "two points"),
        ("model.depth=9..2", "exchange"),
        ("model.depth=0..2:log", "above 0"),
        ("model.depth={}", "plain options"),
    ],
)
def test_what_cannot_be_meant_is_named_with_what_would_do(item: str, said: str) -> None:
    assert said in problem_of(item)


def test_every_problem_is_named_at_once() -> None:
    _, problems = read_selection(["a.b", "model.depth=9..2", "x.*"], known=KNOWN, aliases={})

    assert len(problems) == 3
