"""The table of architectures."""

from __future__ import annotations

import pytest

from automl.space.architectures import ConditionRule, matches, notes_for
from automl.spec.math_cond import parse_math_cond
from automl.spec.model import Spec


def test_an_architecture_has_its_own_rows_before_those_of_all() -> None:
    own, every = notes_for("depth_net_mono"), notes_for("unheard_of")

    assert own.conditions[0].path == "train.optim.lr_step_size"
    assert own.conditions[-len(every.conditions) :] == every.conditions
    assert set(every.throughput) <= set(own.throughput)
    assert not every.no_effect


def test_every_rule_of_the_table_is_complete() -> None:
    for arch in (
        "depth_net_mono",
        "depth_net_stereo",
        "dino",
        "pointpillars",
        "visual-changenet",
        "classification_pyt",
    ):
        notes = notes_for(arch)

        assert all(rule.parents and (rule.any_of or rule.none_of) for rule in notes.conditions)
        assert all(parse_math_cond(text, has_parent=False) for text in notes.math_cond.values())


def test_brackets_in_patterns_are_indices() -> None:
    assert matches("train.cls_weight[1]", ["train.cls_weight[1]"])
    assert not matches("train.cls_weight1", ["train.cls_weight[1]"])
    assert matches("train.betas[0]", ["*.betas*"])


@pytest.mark.parametrize(
    "path", ["dataset.val_dataset.x", "dataset.test.batch_size", "a.eval_margin", "validation.batch"]
)
def test_what_judges_a_run_is_recognised(path: str) -> None:
    assert matches(path, notes_for("any").yard_stick)


@pytest.mark.parametrize("path", ["train.schedulers.lr.val_base", "dataset.train.x", "model.value_dim", "train.latest"])
def test_what_only_sounds_like_judging_is_not(path: str) -> None:
    assert not matches(path, notes_for("any").yard_stick)


def test_the_first_parent_that_the_spec_has_decides() -> None:
    rule = ConditionRule(path="*", parents=(".type", ".optim", "task"), any_of=("SGD*",))
    spec = Spec(values={"train": {"optim": "sgd_nesterov", "momentum": 0.9}, "task": "x"})

    assert rule.parent_of("train.momentum", spec) == "train.optim"
    assert rule.parent_of("other.momentum", spec) == "task"
    assert rule.admits("sgd_nesterov")
    assert not rule.admits("AdamW")
    assert ConditionRule(path="*", parents=(), none_of=("cosine*",)).admits("step")
