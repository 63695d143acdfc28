from __future__ import annotations

from depth_net.config import Scheduler
from depth_net.effective import declared_leaves, effective_params
from depth_net.model.family import ModelType


def test_only_the_scheduler_that_reads_a_key_makes_it_effective() -> None:
    step = effective_params(scheduler=Scheduler.STEP)
    cosine = effective_params(scheduler=Scheduler.COSINE)

    assert {"train.optim.lr_step_size", "train.optim.lr_decay"} <= step
    assert "train.optim.min_lr" not in step
    assert "train.optim.min_lr" in cosine
    assert not {"train.optim.lr_step_size", "train.optim.lr_decay", "train.optim.lr_steps"} & cosine


def test_one_cycle_has_no_use_for_our_warm_up() -> None:
    assert "train.optim.warmup_fraction" not in effective_params(scheduler=Scheduler.ONE_CYCLE)
    assert "train.optim.warmup_fraction" in effective_params(scheduler=Scheduler.LAMBDA)


def test_augmentation_counts_only_where_it_is_on() -> None:
    path = "dataset.train_dataset.augmentation.h_flip_prob"

    assert path in effective_params(augmentation=True)
    assert path not in effective_params(augmentation=False)
    assert "dataset.train_dataset.augmentation.crop_size" in effective_params(augmentation=False)


def test_a_relative_model_has_no_depth_range() -> None:
    assert "dataset.max_depth" in effective_params(ModelType.METRIC)
    assert "dataset.max_depth" not in effective_params(ModelType.RELATIVE)


def test_what_the_reference_flags_in_vain_is_not_effective() -> None:
    inert = {
        "train.optim.momentum",
        "train.optim.warmup_steps",
        "model.corr_radius",
        "model.volume_dim",
        "dataset.val_dataset.augmentation.h_flip_prob",
        "dataset.train_dataset.augmentation.eraser_aug_prob",
    }

    assert not inert & effective_params()


def test_each_action_reads_its_own_section_only() -> None:
    paths = [path for path, _ in declared_leaves("export")]

    assert "export.onnx_file" in paths
    assert not [path for path in paths if path.startswith(("train.", "evaluate.", "dataset.train_dataset"))]
