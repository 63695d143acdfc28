"""The reasons to leave a parameter out, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.architectures.model import ConditionRule, ParameterRules
from automl.skill.load import load_skill
from automl.space.reasons import Questions, activity, effective_parameters, reason_of_fact, reason_of_taste
from automl.spec.build import build_spec
from automl.spec.model import Spec
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import EVERY_FEATURE

if TYPE_CHECKING:
    from automl.skill.model import JsonValue


def questions(arch: str = "any", action: str = "train", **overrides: JsonValue) -> Questions:
    skill = replace(load_skill(EVERY_FEATURE), network_arch=arch, architecture=load_architecture(arch))
    return Questions(
        skill=skill,
        action=action,
        schema=read_train_schema(skill.schemas["train"]),
        spec=build_spec(skill, "train", overrides=overrides),
        rules=skill.architecture.parameters,
        pinned=("train.optim.lr",),
        effective=None,
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("train.optim.lr", "pinned to 0.0002 by the user"),
        ("model.absent", "absent from the merged spec"),
        ("train.optim.betas", "name one element"),
        ("model.outer", "above its maximum"),
        ("model.heads", ""),
    ],
)
def test_facts_hold_even_for_what_is_asked_for(path: str, said: str) -> None:
    assert said in reason_of_fact(path, questions())
    assert bool(said) == bool(reason_of_fact(path, questions()))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("model.tied", "automl_disabled_parameters"),
        ("evaluate.threshold", "belongs to the action evaluate"),
        ("dataset.val_dataset.crop_prob", "yard-stick"),
        ("dataset.augmentation.test_size_px", "yard-stick"),
        ("dataset.workers", "throughput"),
        ("train.optim.lr", ""),
        ("train.optim.weight_decay", ""),
    ],
)
def test_taste_decides_about_the_rest(path: str, said: str) -> None:
    assert said in reason_of_taste(path, questions())
    assert bool(said) == bool(reason_of_taste(path, questions()))


def test_a_disabled_path_is_that_path_and_never_a_prefix() -> None:
    q = questions()

    assert "train.optim" in q.schema.disabled
    assert not reason_of_taste("train.optim.lr", q)


def test_a_block_named_like_an_action_of_the_skill_is_not_lost() -> None:
    assert not reason_of_taste("dataset.augmentation.flip.prob", questions())
    assert not reason_of_taste("model.fusion", questions())


def test_when_evaluation_is_searched_training_is_not() -> None:
    assert "train" in reason_of_taste("train.optim.lr", questions(action="evaluate"))
    assert not reason_of_taste("evaluate.threshold", questions(action="evaluate"))


def test_pretrained_weights_of_the_whole_model_fix_its_shape() -> None:
    assert not reason_of_taste("model.hidden_dim", questions())
    warm = questions(**{"train.pretrained_model_path": "/w.pth"})
    assert "pretrained" in reason_of_taste("model.hidden_dim", warm)
    assert not reason_of_taste("model.margin", warm)


def test_terms_of_a_loss_are_not_searched_where_runs_are_judged_by_a_loss() -> None:
    q = questions()

    assert "judged by val_loss" in reason_of_taste("model.cls_loss_coef", replace(q, metric="val_loss"))
    assert not reason_of_taste("model.cls_loss_coef", replace(q, metric="val_mAP50"))


def test_what_the_container_does_not_read_is_in_the_table_and_what_ours_reads_it_says_itself() -> None:
    q = questions("depth_net_mono")

    assert "does not read it" in reason_of_taste("train.optim.momentum", q)
    assert not reason_of_taste("train.optim.momentum", replace(q, effective={"train.optim.momentum"}))
    assert "does not read it" in reason_of_taste("model.margin", replace(q, effective={"train.optim.momentum"}))


def test_a_skill_without_an_image_flags_what_its_own_trainer_reads() -> None:
    skill = load_skill(EVERY_FEATURE)
    schema = read_train_schema(skill.schemas["train"])
    local = replace(skill, image=None, actions={"train": skill.actions["train"]})

    assert effective_parameters(skill, schema) is None
    assert effective_parameters(local, schema) == frozenset(schema.leaves)
    assert effective_parameters(skill, replace(schema, effective=frozenset({"a"}))) == {"a"}


def test_a_switched_off_block_has_no_active_parameters() -> None:
    assert "blur.enabled is False" in activity("dataset.augmentation.blur.prob", questions(), ())[1]
    assert activity("dataset.augmentation.flip.prob", questions(), ()) == (None, "")


def test_a_searched_switch_makes_a_condition() -> None:
    condition, inactive = activity("dataset.augmentation.flip.prob", questions(), ["dataset.augmentation.flip.enable"])

    assert not inactive
    assert str(condition) == "dataset.augmentation.flip.enable in {True}"


def test_parameters_of_another_scheduler_or_optimiser_do_not_act() -> None:
    q = questions(**{"train.optim.optimizer": "AdamW"})

    assert "train.optim.lr_scheduler is MultiStep, it acts under" in activity("train.optim.lr_step_size", q, ())[1]
    assert "train.optim.optimizer is AdamW" in activity("train.optim.momentum", q, ())[1]
    assert activity("train.optim.lr_decay", q, ()) == (None, "")


def test_a_searched_scheduler_makes_a_condition_on_its_values() -> None:
    condition, _ = activity("train.optim.lr_step_size", questions(), ["train.optim.lr_scheduler"])

    assert condition is not None
    assert condition.any_of == ("StepLR",)


def test_the_first_parent_that_the_spec_has_decides() -> None:
    rule = ConditionRule(path="*.momentum", parents=(".type", ".optim", "task"), any_of=("SGD*",))
    spec = Spec(values={"train": {"optim": "sgd_nesterov", "momentum": 0.9}, "other": {"momentum": 0.9}, "task": "x"})
    q = replace(questions(), spec=spec, rules=ParameterRules(conditions=(rule,)))

    assert activity("train.momentum", q, ()) == (None, "")
    assert activity("other.momentum", q, ())[1].startswith("inactive: task is x")
