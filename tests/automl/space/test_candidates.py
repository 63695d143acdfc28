"""Suggestions for an empty space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.skill.load import load_skill
from automl.space.build import suggest_candidates
from automl.spec.build import build_spec
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, needs_bank

if TYPE_CHECKING:
    from pathlib import Path


def suggested(folder: Path, limit: int = 5) -> tuple[str, ...]:
    skill = load_skill(folder)
    schema = read_train_schema(skill.schemas["train"])
    return suggest_candidates(skill, schema, build_spec(skill, "train", schema=schema), limit=limit)


def test_a_rate_that_the_skill_does_not_mark_is_suggested() -> None:
    assert suggested(BAD / "empty_space") == ("train.optim.lr",)


def test_rates_come_first_and_the_list_is_short() -> None:
    names = suggested(EVERY_FEATURE, limit=3)

    assert len(names) == 3
    assert all("lr" in name or "decay" in name or "eps" in name for name in names)


@needs_bank
def test_the_learning_rate_of_dinov3_is_suggested_with_a_range_to_give() -> None:
    folder = next(info.parents[1] for info in BANK if "dinov3" in str(info))

    assert "train.schedulers.learning_rate.val_base=low..high" in suggested(folder)
