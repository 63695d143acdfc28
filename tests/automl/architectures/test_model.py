"""Patterns, values of parents and names of metrics."""

from __future__ import annotations

import pytest

from automl.architectures.load import load_architecture
from automl.architectures.model import ConditionRule, matches, named, same_metric


def test_brackets_in_patterns_are_indices() -> None:
    assert matches("train.cls_weight[1]", ["train.cls_weight[1]"])
    assert not matches("train.cls_weight1", ["train.cls_weight[1]"])
    assert matches("train.betas[0]", ["*.betas*"])


RULES = load_architecture("any").parameters


@pytest.mark.parametrize(
    "path",
    [
        "dataset.val_dataset.x",
        "dataset.test.batch_size",
        "a.eval_margin",
        "validation.batch",
        "data.eval.size",
        "m.valid.x",
    ],
)
def test_what_evaluates_a_run_is_recognised(path: str) -> None:
    assert named(path, RULES.evaluation_only)
    assert not named(path, RULES.training_only)


@pytest.mark.parametrize(
    "path",
    [
        "data.crop_min_valid_ratio",
        "model.metric_learning.dim",
        "train.schedulers.learning_rate.val_base",
        "dataset.train.x",
        "model.value_dim",
        "train.latest",
    ],
)
def test_what_only_sounds_like_evaluation_is_not(path: str) -> None:
    assert not named(path, RULES.evaluation_only) or named(path, RULES.training_only)


@pytest.mark.parametrize(
    "path",
    [
        "model.num_select",
        "model.test_topk_per_image",
        "model.post_processing.nms_config.nms_thresh",
        "model.head.nms_iou_threshold",
        "model.score_thr",
        "model.object_mask_threshold",
        "train.conf_threshold",
        "model.max_per_img",
        "model.topK",
    ],
)
def test_what_acts_after_the_output_is_recognised(path: str) -> None:
    assert named(path, (*RULES.after_output, *RULES.evaluation_only))
    assert not named(path, RULES.during_training)


@pytest.mark.parametrize(
    "path", ["model.rpn.nms_thresh", "model.moe.top_k", "train.assigner.topk", "train.pseudo.conf_thr"]
)
def test_the_same_words_inside_the_training_are_not(path: str) -> None:
    assert named(path, RULES.during_training) or not named(path, RULES.after_output)


def test_a_rule_admits_values_by_patterns_in_which_capitals_do_not_count() -> None:
    rule = ConditionRule(path="*", parents=(".type",), any_of=("SGD*",))

    assert rule.admits("sgd_nesterov")
    assert not rule.admits("AdamW")
    assert ConditionRule(path="*", parents=(), none_of=("cosine*",)).admits("step")


def test_two_names_of_one_metric_are_the_same() -> None:
    assert same_metric("val Precision at Rank 1", "val_precision/at rank_1")
    assert not same_metric("val_mAP", "val_mAP50")
