"""Metric names: one metric under several names, and never two metrics under one."""

from __future__ import annotations

import pytest

from automl.readers.names import aliases, find_metric, find_name, suggest


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        ("val/d1", "val/d1"),
        ("val/d1", "val_d1"),
        ("val_d1", "val/d1"),
        ("train_loss", "train_loss_epoch"),
        ("train_loss_epoch", "train_loss"),
        ("train_loss", "train_loss_step"),
        ("train_loss", "train/loss"),
        ("val_mAP50", "Validation mAP50"),
        ("Validation mAP50", "val_mAP50"),
        ("val/loss", "validation_loss"),
        ("val Precision at Rank 1", "val_Precision at Rank 1"),
        ("img_bbox_NuScenes/mAP", "img_bbox_NuScenes_mAP"),
        ("[bbox] val_mAP@50", "[bbox] val_mAP@50"),
        ("val_mAP", "img_bbox_NuScenes/mAP"),
        ("val/avg_loss", "Validation loss"),
        ("val_acc", "acc/val"),
        ("val_acc", "acc_val"),
        ("val_acc", "acc (val)"),
        ("val_acc", "Acc (Validation)"),
        ("val_loss", "loss/validation_epoch"),
        ("acc/val", "val_acc"),
        ("acc (val)", "acc/val"),
        ("acc_val", "acc/validation"),
        ("train_loss", "loss/train"),
        ("train_loss", "loss/train_step"),
    ],
)
def test_a_metric_is_found_under_each_of_its_names(asked: str, reported: str) -> None:
    assert find_metric({"other": 1.0, reported: 2.0}, asked) == 2.0


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        ("loss", "val_loss"),
        ("loss", "loss_scale"),
        ("val_loss", "loss"),
        ("val/d1", "val/d11"),
        ("val/d1", "train/d1"),
        ("train_loss_epoch", "train_loss_step"),
        ("train_loss_step", "train_loss"),
        ("mAP50", "val_mAP50"),
        ("val_acc", "acc/train"),
        ("acc", "acc/val"),
        ("acc/val", "acc"),
        ("val_acc", "train_acc/val"),
        ("acc/val", "acc/train"),
    ],
)
def test_a_metric_is_not_found_under_the_name_of_another(asked: str, reported: str) -> None:
    assert find_metric({reported: 2.0}, asked) is None


def test_the_exact_name_wins_over_every_alias() -> None:
    assert find_metric({"train_loss_epoch": 1.0, "train/loss": 2.0, "train_loss": 3.0}, "train_loss") == 3.0


def test_the_mean_over_the_epoch_wins_over_the_last_step() -> None:
    assert find_metric({"train_loss_step": 1.0, "train_loss_epoch": 2.0}, "train_loss") == 2.0


def test_the_name_itself_leads_its_aliases() -> None:
    assert aliases("val/d1")[0] == "val/d1"


def test_the_reported_name_is_returned_as_the_trainer_spells_it() -> None:
    assert find_name(["Validation mAP50", "lr"], "val_mAP50") == "Validation mAP50"


def test_a_misspelt_metric_is_answered_with_the_nearest_reported_name() -> None:
    assert suggest("val/dl", ["val/d1", "train_loss"]) == "val/d1"
    assert suggest("accuracy", ["val/d1"]) is None
