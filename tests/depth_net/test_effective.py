from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from depth_net.config.actions import ConvertConfig
from depth_net.config.choices import Scheduler
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import choices_of, inert_reason, is_group, kind_of, leaves, limits_of
from depth_net.effective import declared_leaves, effective_params, idle_keys
from depth_net.model.family import ModelType
from depth_net.spec import load_spec
from tests.depth_net.keys_in_source import groups_of, keys_read
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.fields import FieldInfo

    from depth_net.config.fields import Section

AUGMENTATION = "dataset.train_dataset.augmentation"


def has_one_value(field: FieldInfo) -> bool:
    """Tell whether a key accepts nothing but its default, so that there is nothing to read."""
    limits = limits_of(field)
    return len(choices_of(field)) == 1 or ("ge" in limits and limits["ge"] == limits.get("le"))


@pytest.mark.parametrize("root", [ExperimentConfig, ConvertConfig])
def test_every_key_is_read_somewhere_or_says_why_it_is_not(root: type[Section]) -> None:
    read = keys_read()

    silent = [
        f"{kind.__name__}.{name}"
        for kind in groups_of(root)
        for name, field in kind.model_fields.items()
        if not is_group(kind_of(field.annotation)) and (kind.__name__, name) not in read
        if inert_reason(field) is None and not has_one_value(field)
    ]

    assert silent == []


@pytest.mark.parametrize("action", ["train", "evaluate", "inference", "export", "quantize"])
def test_every_key_without_effect_is_named_when_it_is_set(tmp_path: Path, action: str) -> None:
    config = load_spec(write_spec(tmp_path))
    changed, inert = {}, set()
    for name in ("wandb", action):
        section = getattr(config, name)
        own = [(key, field) for key, field in leaves(type(section)) if "." not in key]
        keys = {key: "changed" for key, field in own if inert_reason(field)}
        changed[name] = section.model_copy(update=keys)
        inert |= {f"{name}.{key}" for key in keys}

    told = idle_keys(config.model_copy(update=changed), action)

    assert inert
    assert {path for paths in told.values() for path in paths} == inert


@pytest.mark.parametrize(
    ("words", "path", "reason"),
    [
        (["train.optim.momentum=0.5"], "train.optim.momentum", "AdamW has none; its betas are 0.9 and 0.999"),
        (["train.optim.lr_step_size=5"], "train.optim.lr_step_size", "only StepLR reads it"),
        (["train.optim.lr_steps=[5]"], "train.optim.lr_steps", "only MultiStepLR reads it"),
        (
            ["train.optim.warmup_fraction=0.1", "train.optim.lr_scheduler=OneCycleLR"],
            "train.optim.warmup_fraction",
            "OneCycleLR has a warm-up of its own",
        ),
        ([f"{AUGMENTATION}.h_flip_prob=0.2"], f"{AUGMENTATION}.h_flip_prob", f"{AUGMENTATION}.enabled is false"),
        (
            ["dataset.val_dataset.augmentation.enabled=true"],
            "dataset.val_dataset.augmentation.enabled",
            "only training images are changed at random",
        ),
    ],
)
def test_a_key_that_does_nothing_in_this_spec_is_named_with_the_reason(
    tmp_path: Path, words: list[str], path: str, reason: str
) -> None:
    assert idle_keys(load_spec(write_spec(tmp_path), words), "train") == {reason: (path,)}


@pytest.mark.parametrize(
    "word",
    [
        "train.optim.lr=0.1",
        "wandb.enable=false",
        f"{AUGMENTATION}.h_flip_prob=0",
        f"{AUGMENTATION}.enabled=true",
        "evaluate.batch_size=3",
        "dataset.test_dataset.augmentation.h_flip_prob=0.3",
    ],
)
def test_a_key_that_acts_or_asks_for_nothing_or_serves_another_action_is_not_named(tmp_path: Path, word: str) -> None:
    assert idle_keys(load_spec(write_spec(tmp_path), [word]), "train") == {}


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
