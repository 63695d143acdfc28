"""Samples as training and evaluation see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from depth_net.config.choices import EvalCrop
from depth_net.config.dataset import AugmentationConfig, DataSource, SplitName
from depth_net.data.dataset import DepthDataset, build_dataset
from depth_net.data.families import crop_box
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType
from tests.depth_net.data.builders import MEAN, STD, write_depth_mm, write_nyu, write_picture

if TYPE_CHECKING:
    from pathlib import Path


def _build(file: Path, split: SplitName = "train", *, name: str = "NYUDV2", **changes: Any) -> DepthDataset:  # noqa: ANN401 - keywords of the function under test
    keywords: dict[str, Any] = {
        "model_type": ModelType.METRIC,
        "crop_size": (28, 28),
        "input_mean": MEAN,
        "input_std": STD,
        "min_depth_m": None,
        "max_depth_m": None,
        "seed": 7,
    }
    return build_dataset([DataSource(dataset_name=name, data_file=str(file))], split=split, **(keywords | changes))


def test_a_training_sample_is_a_square_crop_with_targets_in_metres(tmp_path: Path) -> None:
    sample = _build(write_nyu(tmp_path))[1]

    assert sample["image"].shape == (3, 28, 28)
    assert sample["image"].dtype == torch.uint8
    assert sample["target"].shape == sample["valid"].shape == (1, 28, 28)
    assert sample["valid"].dtype == torch.bool
    assert sample["image_size"] == [48, 64]
    assert sample["image_path"].endswith("rgb_1.png")
    valid_m = sample["target"][sample["valid"]]
    assert valid_m.min() >= 1.1
    assert valid_m.max() <= 4.0


def test_an_evaluation_sample_keeps_its_ground_truth_native(tmp_path: Path) -> None:
    sample = _build(write_nyu(tmp_path, height=96, width=128), "val")[0]

    assert sample["image"].shape == (3, 28, 42)
    assert sample["target"].shape == (1, 96, 128)
    np.testing.assert_array_equal(sample["valid"][0].numpy(), crop_box(EvalCrop.NYU, 96, 128))


def test_the_eigen_box_is_cut_in_native_coordinates_before_the_crop(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, count=1, height=480, width=640)
    dataset = _build(file, crop_size=(56, 56))

    shares = [float(dataset[epoch, 0]["valid"].float().mean()) for epoch in range(40)]

    # The container masks in crop coordinates, which would leave 5.3 % of a 56x56 crop.
    assert 0.70 < np.mean(shares) < 0.95


def test_a_sample_is_a_function_of_seed_epoch_and_row(tmp_path: Path) -> None:
    file = write_nyu(tmp_path)
    first, again, other = _build(file), _build(file, cache_bytes=10**8), _build(file, seed=8)

    assert torch.equal(first[3, 2]["image"], again[3, 2]["image"])
    assert torch.equal(again[3, 2]["image"], again[3, 2]["image"])
    assert torch.equal(first[2]["image"], first[0, 2]["image"])
    assert any(not torch.equal(first[epoch, 2]["image"], first[3, 2]["image"]) for epoch in range(3))
    assert any(not torch.equal(first[epoch, 2]["image"], other[epoch, 2]["image"]) for epoch in range(3))


def test_a_set_that_fits_is_kept_in_memory_and_one_that_does_not_is_read_again(tmp_path: Path) -> None:
    file = write_nyu(tmp_path)
    cached, uncached, too_large = _build(file, cache_bytes=10**8), _build(file), _build(file, cache_bytes=1000)
    before = cached[0]["image"]

    write_picture(tmp_path / "rgb_0.png", seed=99)

    assert cached.fits_cache
    assert torch.equal(cached[0]["image"], before)
    assert not uncached.fits_cache
    assert not too_large.fits_cache
    assert not torch.equal(too_large[0]["image"], before)


def test_changing_a_sample_in_place_leaves_the_cache_alone(tmp_path: Path) -> None:
    dataset = _build(write_nyu(tmp_path), "val", cache_bytes=10**8)
    before = dataset[0]["target"].clone()

    dataset[0]["target"].zero_()
    dataset[0]["valid"].zero_()

    assert torch.equal(dataset[0]["target"], before)
    assert dataset[0]["valid"].any()


def test_an_image_without_ground_truth_counts_everywhere_and_says_so(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "list.txt").write_text("a.png\n", encoding="utf-8")

    sample = _build(tmp_path / "list.txt", "infer")[0]

    assert not sample["has_target"]
    assert sample["valid"].all()
    assert sample["valid"].shape == (1, 48, 64)


def test_rows_without_ground_truth_are_refused_in_training(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, count=2)
    file.write_text(file.read_text(encoding="utf-8") + "rgb_0.png\n", encoding="utf-8")

    with pytest.raises(DataError, match="line 3: no ground truth beside"):
        _build(file)


def test_images_and_ground_truth_of_different_size_are_reported_with_the_line(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, count=2)
    write_depth_mm(tmp_path / "depth_1.png", 24, 32)

    with pytest.raises(DataError, match=r"line 2: .*rgb_1\.png is 48x64 .* is 24x32"):
        _build(file, "val")[1]


def test_a_relative_model_ignores_a_depth_range(tmp_path: Path) -> None:
    dataset = _build(write_nyu(tmp_path), "val", name="NYUDV2Relative", model_type=ModelType.RELATIVE, max_depth_m=2.0)

    assert float(dataset[0]["target"].max()) == pytest.approx(1 / 1.19, abs=0.05)


def test_a_mismatched_family_and_an_empty_list_of_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="use dataset_name NYUDV2Relative"):
        _build(write_nyu(tmp_path), model_type=ModelType.RELATIVE)
    with pytest.raises(SpecError, match="expected at least one dataset_name"):
        build_dataset(
            [],
            split="val",
            model_type=ModelType.METRIC,
            crop_size=(28, 28),
            input_mean=MEAN,
            input_std=STD,
            min_depth_m=None,
            max_depth_m=None,
            seed=0,
        )


def test_several_sources_follow_each_other(tmp_path: Path) -> None:
    first, second = write_nyu(tmp_path / "a", 2), write_nyu(tmp_path / "b", 3)
    dataset = build_dataset(
        [
            DataSource(dataset_name="NYUDV2", data_file=str(first)),
            DataSource(dataset_name="nyudv2", data_file=str(second)),
        ],
        split="val",
        model_type=ModelType.METRIC,
        crop_size=(28, 28),
        input_mean=MEAN,
        input_std=STD,
        min_depth_m=None,
        max_depth_m=None,
        seed=0,
    )

    assert len(dataset) == 5
    assert dataset[2]["image_path"] == str(tmp_path / "b" / "rgb_0.png")


def test_a_crop_higher_than_wide_is_covered_in_training(tmp_path: Path) -> None:
    sample = _build(write_nyu(tmp_path, height=64, width=48), crop_size=(70, 28))[0]

    assert sample["image"].shape == (3, 70, 70)


def test_magnified_metric_depth_comes_nearer(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_depth_mm(tmp_path / "d.png", value=4000)
    (tmp_path / "list.txt").write_text("a.png d.png\n", encoding="utf-8")
    doubled = AugmentationConfig(enabled=True, h_flip_prob=0, v_flip_prob=0, color_aug_prob=0, min_scale=1, max_scale=1)

    sample = _build(tmp_path / "list.txt", augmentation=doubled)[0]

    assert sample["image"].shape == (3, 28, 28)
    assert set(sample["target"][sample["valid"]].tolist()) == {2.0}


def test_an_image_without_any_valid_pixel_is_a_sample_with_an_empty_mask(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, count=1)
    write_depth_mm(tmp_path / "depth_0.png", value=0)

    sample = _build(file)[0]

    assert not sample["valid"].any()
    assert torch.isfinite(sample["target"]).all()
