"""Suggestions for an empty space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.skill.load import load_skill
from automl.space.build import suggest_candidates
from automl.spec.build import build_spec
from automl.spec.computed import computed_number
from automl.spec.model import Spec
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, needs_bank
from tests.automl.space.test_build import space_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def suggested(folder: Path) -> tuple[str, ...]:
    skill = load_skill(folder)
    schema = read_train_schema(skill.schemas["train"])
    return suggest_candidates(skill, schema, build_spec(skill, "train", schema=schema))


def test_a_rate_that_the_skill_does_not_mark_is_suggested() -> None:
    assert suggested(BAD / "empty_space") == ("train.optim.lr",)


def test_what_an_expert_would_search_is_short_and_has_the_rates_in_it() -> None:
    names = suggested(EVERY_FEATURE)

    assert {"train.optim.lr", "train.optim.lr_backbone", "train.optim.weight_decay"} <= set(names)
    assert len(names) <= 8


@needs_bank
def test_rates_that_a_trainer_computes_get_a_range_around_what_it_will_compute() -> None:
    folder = next(info.parents[1] for info in BANK if "dinov3" in str(info))

    space = space_of(folder)

    assert not space.parameters
    assert "train.schedulers.learning_rate.val_base=6.2e-08..6.3e-05:log" in space.proposed
    proposed = space_of(folder, search=list(space.proposed))
    assert set(proposed.paths) == set(space_of(folder, search=["recommended"]).paths)


def test_a_space_with_enough_parameters_proposes_nothing() -> None:
    assert space_of(EVERY_FEATURE).proposed == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("${eval: '5e-5 * (${a.b} / 1024) ** (1/2)'}", 5e-5 * (16 / 1024) ** 0.5),
        ("${eval:'-${a.b} + 1'}", -15),
        ("${a.b}", 16),
        ("${eval: '${a.b} / 0'}", None),
        ("${eval: '__import__(${a.b})'}", None),
        ("${a.missing}", None),
        ("16", None),
        (3, None),
    ],
)
def test_arithmetic_on_the_spec_is_computed_and_nothing_else(text: JsonValue, number: float | None) -> None:
    found = computed_number(text, Spec(values={"a": {"b": 16}}))

    assert found == (None if number is None else pytest.approx(number))
