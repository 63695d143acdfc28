"""The order in which layers make a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.skill.load import load_skill
from automl.spec.build import build_spec, check_overrides, expand_shorthands
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, needs_bank, write_skill

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    info = {
        "key_defaults": {"b": "key_defaults", "c": "key_defaults", "d": "key_defaults"},
        "spec_params": {"train": {"c": "Literal", "d": "Literal", "results_dir": "output_dir"}},
    }
    template = {"a": "template", "b": "template", "c": "template", "d": "template", "results_dir": ""}
    skill = load_skill(write_skill(tmp_path, info=info, template=template))

    spec = build_spec(skill, "train", overrides={"d": "override"})

    assert spec.values == {"a": "template", "b": "key_defaults", "c": "Literal", "d": "override", "results_dir": ""}
    assert dict(spec.origins) == {
        "a": "template",
        "b": "key_defaults",
        "c": "spec_params",
        "d": "override",
        "results_dir": "template",
    }


def test_overrides_win_over_data_and_nested_ones_merge_deeply() -> None:
    skill = load_skill(EVERY_FEATURE)

    spec = build_spec(
        skill,
        "train",
        data={"val": "/data/val"},
        overrides={"train": {"optim": {"lr": 0.5}}, "dataset.val_sources": "/mine", "learning_rate": 0.25},
    )

    assert spec.get("dataset.val_sources") == "/mine"
    assert spec.get("train.optim.lr") == 0.25
    assert spec.get("train.optim.momentum") == 0.9


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("train.optim", 3, "a mapping"),
        ("train.optim.lr", "fast", "a number"),
        ("train.num_epochs", 2.5, "a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_before_a_trainer_sees_it(
    path: str, value: JsonValue, expected: str
) -> None:
    skill = load_skill(EVERY_FEATURE)

    with pytest.raises(ConfigurationError) as caught:
        build_spec(skill, "train", overrides={path: value}, schema=read_train_schema(skill.schemas["train"]))

    (problem,) = caught.value.problems
    assert (problem.where, problem.expected) == (f"overrides: {path}", expected)


@pytest.mark.parametrize(
    ("path", "value"), [("train.optim", None), ("train.optim.lr", "${train.x}"), ("train.optim.lr", 1)]
)
def test_a_block_may_be_taken_out_and_a_value_left_to_the_trainer(path: str, value: JsonValue) -> None:
    skill = load_skill(EVERY_FEATURE)

    spec = build_spec(skill, "train", overrides={path: value}, schema=read_train_schema(skill.schemas["train"]))

    assert spec.get(path) == value


def test_elements_of_lists_are_set_by_index() -> None:
    spec = build_spec(load_skill(EVERY_FEATURE), "train", overrides={"train.optim.cls_weight[1]": 4.0})

    assert spec.get("train.optim.cls_weight") == [1.0, 4.0]


def test_special_words_are_left_to_the_trial_and_literals_are_not() -> None:
    spec = build_spec(load_skill(EVERY_FEATURE), "train")

    assert spec.get("results_dir") == ""
    assert spec.get("model.name") == "EveryNet"
    assert not spec.has("model.download")


def test_text_that_looks_like_a_number_reaches_the_spec_as_the_trainer_sees_it() -> None:
    spec = build_spec(load_skill(EVERY_FEATURE), "train")

    assert spec.get("train.optim.lr") == 2e-4
    assert spec.get("train.optim.min_lr") == "${eval: '1e-3 * ${dataset.batch_size}'}"


def test_without_a_template_the_schemas_defaults_are_the_spec() -> None:
    skill = load_skill(BAD / "template_missing")
    schema = read_train_schema(skill.schemas["train"])

    spec = build_spec(skill, "train", schema=schema)

    assert spec.values == {"train": {"lr": 1e-3}}
    assert spec.origins["train.lr"] == "schema default"


def test_a_spec_of_the_user_replaces_the_template(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("train:\n  lr: 1e-2\n", encoding="utf-8")

    spec = build_spec(load_skill(BAD / "template_missing"), "train", template=tmp_path / "mine.yaml")

    assert spec.get("train.lr") == 1e-2


@pytest.mark.parametrize("name", ["template_outside", "template_not_a_mapping"])
def test_without_template_and_schema_there_is_no_spec(name: str) -> None:
    with pytest.raises(ConfigurationError):
        build_spec(load_skill(BAD / name), "train")


def test_every_near_miss_and_every_homeless_split_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_spec(
            load_skill(EVERY_FEATURE),
            "train",
            data={"infer": "/x"},
            overrides={"train.optim.lrr": 1, "model.hidden_dims": 3},
        )

    assert len(caught.value.problems) == 3
    assert "did you mean train.optim.lr?" in str(caught.value)


def test_an_unknown_action_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="distill"):
        build_spec(load_skill(EVERY_FEATURE), "traim")


def test_a_path_through_a_value_is_an_error_and_no_crash() -> None:
    with pytest.raises(ConfigurationError, match=r"train\.seed"):
        build_spec(load_skill(EVERY_FEATURE), "train", overrides={"train.seed.deeper": 3})


def test_a_real_path_wins_over_an_alias_of_the_same_name(tmp_path: Path) -> None:
    skill = load_skill(write_skill(tmp_path, info={"spec_shorthand_keys": {"lr": "train.lr"}}, template={"lr": 1}))
    spec = build_spec(skill, "train")

    assert expand_shorthands(skill, spec, {"lr": 2}) == {"lr": 2}


def test_an_output_directory_of_the_user_is_ignored_with_a_warning() -> None:
    skill = load_skill(EVERY_FEATURE)
    spec = build_spec(skill, "train")

    check = check_overrides(spec, {"results_dir": "/mine"}, schema=None, skill=skill, action="train")

    assert not check.problems
    assert "results_dir" in check.warnings[0].where


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_every_template_of_the_bank_makes_a_spec(info: Path) -> None:
    skill = load_skill(info)

    for action in skill.templates:
        assert build_spec(skill, action).values
