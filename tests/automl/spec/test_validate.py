"""Whole skills and specs, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.skill.fields import Findings
from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.model import Spec
from automl.spec.train_schema import read_train_schema
from automl.spec.validate import check_skill, check_spec
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, needs_bank

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def checked(path: str, value: JsonValue, origin: str = "override") -> Findings:
    skill = load_skill(EVERY_FEATURE)
    template = build_spec(skill, "train")
    spec = Spec(values={}).with_values({path: value}, origin=origin)
    return check_spec(spec, template, read_train_schema(skill.schemas["train"]), where="my.yaml")


def test_a_skill_is_checked_with_all_its_files() -> None:
    good, bad = check_skill(load_skill(EVERY_FEATURE)), check_skill(load_skill(BAD / "schema_not_json"))

    assert not good.problems
    assert len(good.warnings) == 8
    assert "train.schema.json" in bad.problems[0].where
    assert check_skill(load_skill(BAD / "template_not_a_mapping")).problems


@pytest.mark.parametrize(
    ("path", "value"),
    [("train.optim.lr", "fast"), ("model.heads", 2.5), ("dataset.batch_size", True), ("train.optim.betas", 0.9)],
)
def test_a_value_of_a_wrong_type_is_a_problem_of_the_user_and_an_oddity_of_the_template(
    path: str, value: JsonValue
) -> None:
    assert checked(path, value).problems
    assert checked(path, value, origin="template").warnings


@pytest.mark.parametrize(("path", "value"), [("train.optim.momentum", 7.0), ("model.heads", 3), ("model.fusion", "x")])
def test_a_value_outside_the_schema_is_a_problem_of_the_user_and_an_oddity_of_the_template(
    path: str, value: JsonValue
) -> None:
    assert path in checked(path, value).problems[0].where
    assert path in checked(path, value, origin="template").warnings[0].where


@pytest.mark.parametrize("value", [None, "", "???", "${a.b}", 0.5, 1])
def test_what_is_unset_computed_or_inside_is_fine(value: JsonValue) -> None:
    assert checked("train.optim.momentum", value) == Findings("my.yaml")


def test_a_near_miss_is_a_problem_and_a_new_key_a_warning() -> None:
    assert "did you mean train.optim.lr?" in checked("train.optim.lrr", 1.0).problems[0].fix
    assert checked("augmentation.mosaic", 1.0).warnings


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_no_package_of_the_bank_has_a_problem_with_its_own_template(info: Path) -> None:
    skill = load_skill(info)
    if "train" not in skill.templates:
        return

    spec = build_spec(skill, "train")
    schema = read_train_schema(skill.schemas["train"])

    assert not check_skill(skill).problems
    assert not check_spec(spec, spec, schema, where="template").problems
