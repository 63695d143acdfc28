from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from depth_net.config.actions import ConvertConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import choices_of, inert_reason, is_group, kind_of, leaves, limits_of
from depth_net.effective import declared_leaves, idle_keys
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

    reported = idle_keys(config.model_copy(update=changed), action)

    assert inert
    assert {path for paths in reported.values() for path in paths} == inert


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
        (["train.relative_loss=normalized_l1"], "train.relative_loss", "only relative models read it"),
        (
            ["train.optim.layer_decay=0.8", "train.freeze=encoder"],
            "train.optim.layer_decay",
            "the encoder is frozen",
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


def test_what_the_reference_flags_in_vain_is_not_effective() -> None:
    inert = {
        "train.optim.momentum",
        "train.optim.warmup_steps",
        "model.corr_radius",
        "model.volume_dim",
        "dataset.val_dataset.augmentation.h_flip_prob",
        "dataset.train_dataset.augmentation.eraser_aug_prob",
    }

    assert not inert & {path for path, _ in declared_leaves("train")}


def test_each_action_reads_its_own_section_only() -> None:
    paths = [path for path, _ in declared_leaves("export")]

    assert "export.onnx_file" in paths
    assert not [path for path in paths if path.startswith(("train.", "evaluate.", "dataset.train_dataset"))]
