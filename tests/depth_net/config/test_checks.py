from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from depth_net.config.checks import absent_weights, spec_notices, spec_problems
from depth_net.errors import SpecError
from depth_net.spec import load_spec
from tests.depth_net.specs import RELATIVE, write_spec

if TYPE_CHECKING:
    from pathlib import Path


def problems(spec: Path, action: str, *words: str) -> list[str]:
    return [problem.where for problem in spec_problems(load_spec(spec, words), action)]


def test_a_good_spec_has_no_problem(tmp_path: Path) -> None:
    assert problems(write_spec(tmp_path), "train") == []


@pytest.mark.parametrize(
    ("word", "where"),
    [
        ("dataset.max_depth=null", "dataset.max_depth"),
        ("dataset.min_depth=20", "dataset.min_depth"),
        ("results_dir=", "results_dir"),
        ("dataset.dataset_name=StereoDataset", "dataset.dataset_name"),
        ("model.mono_backbone.use_bn=true", "model.mono_backbone.use_bn"),
        ("dataset.train_dataset.augmentation.crop_size=[100,100]", "dataset.train_dataset.augmentation.crop_size"),
        ("dataset.val_dataset.augmentation.crop_size=[70]", "dataset.val_dataset.augmentation.crop_size"),
        ("dataset.val_dataset.augmentation.input_std=[1,1,0]", "dataset.val_dataset.augmentation.input_std"),
        (
            "dataset.val_dataset.augmentation.input_mean=[123.675,116.28,103.53]",
            "dataset.val_dataset.augmentation.input_mean",
        ),
        ("dataset.val_dataset.augmentation.input_std=[58.4,57.1,57.4]", "dataset.val_dataset.augmentation.input_std"),
        ("dataset.val_dataset.data_sources[0].depth_scale=yards", "dataset.val_dataset.data_sources[0].depth_scale"),
        ("dataset.val_dataset.data_sources[0].depth_scale=-1", "dataset.val_dataset.data_sources[0].depth_scale"),
        ("dataset.val_dataset.data_sources[0].depth_scale=1/0", "dataset.val_dataset.data_sources[0].depth_scale"),
        (
            "dataset.val_dataset.data_sources[0].invalid_values=[x]",
            "dataset.val_dataset.data_sources[0].invalid_values",
        ),
        ("dataset.val_dataset.data_sources=[]", "dataset.val_dataset.data_sources"),
        ("dataset.val_dataset.data_sources[0].data_file=", "dataset.val_dataset.data_sources[0].data_file"),
    ],
)
def test_what_cannot_train_is_reported(tmp_path: Path, word: str, where: str) -> None:
    assert problems(write_spec(tmp_path), "train", word) == [where]


def test_ranges_that_are_none_are_refused_where_augmentation_is_enabled(tmp_path: Path) -> None:
    spec, section = write_spec(tmp_path), "dataset.train_dataset.augmentation"
    words = [f"{section}.min_scale=1", f"{section}.max_scale=0", f"{section}.color_aug_saturation=[1]"]

    assert problems(spec, "train", *words) == []
    assert problems(spec, "train", *words, f"{section}.enabled=true") == [
        f"{section}.min_scale, max_scale",
        f"{section}.color_aug_saturation",
    ]


@pytest.mark.parametrize(
    ("action", "where"),
    [
        ("evaluate", "evaluate.checkpoint"),
        ("inference", "inference.checkpoint"),
        ("export", "export.checkpoint"),
        ("quantize", "quantize.model_path"),
    ],
)
def test_each_action_asks_for_its_checkpoint(tmp_path: Path, action: str, where: str) -> None:
    assert problems(write_spec(tmp_path), action) == [where]


def test_a_crop_that_is_no_multiple_of_14_is_answered_with_one_that_is(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path), ["dataset.train_dataset.augmentation.crop_size=[100,230]"])

    assert spec_problems(config, "train")[0].fix == "use [98, 224]"


def test_corrections_are_reported_as_notices(tmp_path: Path) -> None:
    words = [
        "train.precision=fp16",
        "train.checkpoint_interval=9",
        "train.validation_interval=9",
        "train.optim.warmup_fraction=0.1",
    ]
    config = load_spec(write_spec(tmp_path), [*words, "train.optim.lr_scheduler=OneCycleLR"])

    text = "\n".join(spec_notices(config, "train"))

    assert "checkpoint_interval 9 is lowered to the 2 epochs" in text
    assert "validation_interval 9 is lowered to the 2 epochs" in text
    assert "warmup_fraction: set without effect; OneCycleLR" in text
    assert "fp16 often ends" in text


def test_choices_that_do_less_than_they_say_are_reported(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, model_type=RELATIVE)

    notices = spec_notices(load_spec(spec, ["train.freeze=blocks:4", "train.best_metric=val/loss"]), "train")

    assert notices[0] == "train.freeze blocks:4 freezes the whole encoder: vit_tiny has 4 blocks"
    assert "val/loss cannot tell a relative model that has collapsed" in notices[1]


@pytest.mark.parametrize(
    ("action", "word", "message"),
    [
        ("evaluate", "evaluate.num_gpus=4", "evaluate runs on one device, not on 4"),
        ("inference", "inference.num_nodes=2", "inference runs on one device, not on 2"),
    ],
)
def test_what_an_action_does_not_do_is_reported(tmp_path: Path, action: str, word: str, message: str) -> None:
    spec = write_spec(tmp_path)

    assert spec_notices(load_spec(spec), action) == []
    assert message in spec_notices(load_spec(spec, [word]), action)[0]


@pytest.mark.parametrize(
    ("action", "where"),
    [
        ("train", "train.pretrained_model_path"),
        ("check", "train.pretrained_model_path"),
        ("export", "export.checkpoint"),
    ],
)
def test_weights_that_do_not_exist_are_found_without_opening_them(tmp_path: Path, action: str, where: str) -> None:
    config = load_spec(write_spec(tmp_path), [f"{where}={tmp_path / 'none.pth'}"])

    assert [problem.where for problem in absent_weights(config, action)] == [where]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("inference.intrinsics=[1,2,3]", "expected  fx, fy, cx and cy"),
        ("inference.intrinsics=[0,2,3,4]", "expected  fx, fy, cx and cy"),
        ("inference.colour_range=[5,1]", "expected  two values, the smaller one first"),
        ("inference.depth_scale=feet", "one of metres, millimetres"),
    ],
)
def test_numbers_of_inference_are_checked(tmp_path: Path, word: str, text: str) -> None:
    spec = write_spec(tmp_path)

    with pytest.raises(SpecError, match=re.escape(text)):
        load_spec(spec, ["inference.checkpoint=c.pth", word], action="inference")
