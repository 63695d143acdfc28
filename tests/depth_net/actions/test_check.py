"""Traps of real data, each reported before the first step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from depth_net.actions.check import inspect_data, require_usable_data
from depth_net.actions.findings import Finding, Severity
from depth_net.config.dataset import AugmentationConfig, DatasetConfig, DataSource, SplitConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.model import ModelConfig
from depth_net.data.readers import write_pfm
from depth_net.errors import DataError
from depth_net.model.family import ModelType
from tests.depth_net.data.builders import write_depth_mm, write_nyu, write_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def _split(file: Path, name: str, *, batch_size: int = 2, crop: tuple[int, ...] = (28, 28)) -> SplitConfig:
    return SplitConfig(
        data_sources=(DataSource(dataset_name=name, data_file=str(file)),),
        batch_size=batch_size,
        augmentation=AugmentationConfig(crop_size=crop),
    )


def _config(
    train: SplitConfig,
    val: SplitConfig,
    model_type: ModelType = ModelType.METRIC,
    **dataset: Any,  # noqa: ANN401 - keys of the section
) -> ExperimentConfig:
    keys = {"max_depth": 10.0} if model_type is ModelType.METRIC else {}
    return ExperimentConfig(
        model=ModelConfig(model_type=model_type),
        dataset=DatasetConfig(train_dataset=train, val_dataset=val, **(keys | dataset)),
    )


@pytest.fixture
def splits(tmp_path: Path) -> tuple[Path, Path]:
    return write_nyu(tmp_path / "train", 4), write_nyu(tmp_path / "val", 2)


def _only(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_good_data_has_no_finding_and_a_summary(splits: tuple[Path, Path]) -> None:
    report = inspect_data(_config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2")))

    report.raise_errors()
    assert not report.findings
    assert str(report.sources[0]).startswith(
        "dataset.train_dataset.data_sources[0]  NYUDV2  4 samples  48x64  p5/p50/p95 1."
    )


@pytest.mark.parametrize(
    ("name", "model_type"),
    [("MetricMonoDataset", ModelType.METRIC), ("RelativeMonoDataset", ModelType.RELATIVE)],
)
def test_millimetres_under_a_generic_class_are_an_error_with_the_units_that_they_may_have(
    splits: tuple[Path, Path], name: str, model_type: ModelType
) -> None:
    train, val = inspect_data(_config(_split(splits[0], name), _split(splits[1], name), model_type)).findings

    assert train.severity is Severity.ERROR
    assert train.where == "dataset.train_dataset.data_sources[0]"
    assert val.where == "dataset.val_dataset.data_sources[0]"
    assert "0.0 % of pixels valid" in train.found
    assert "millimetres (value / 1000) 2.58 m, likely for a room; " in train.found
    assert "kitti (value / 256) 10.1 m" in train.found
    assert train.fix.startswith("set depth_scale")


def test_training_goes_on_with_warnings_but_not_with_errors(splits: tuple[Path, Path]) -> None:
    doubtful = _config(_split(splits[0], "NYUDV2"), _split(splits[0], "NYUDV2"))
    useless = _config(_split(splits[0], "MetricMonoDataset"), _split(splits[1], "NYUDV2"))

    assert [finding.severity for finding in require_usable_data(doubtful).findings] == [Severity.WARNING]
    with pytest.raises(DataError, match=r"1 problem with the data\n\nerror: dataset\.train_dataset"):
        require_usable_data(useless)


def test_a_mismatched_family_names_the_right_pair(splits: tuple[Path, Path]) -> None:
    findings = inspect_data(
        _config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2Relative"), ModelType.RELATIVE)
    ).findings

    finding = _only(findings)
    assert finding.severity is Severity.ERROR
    assert "use dataset_name NYUDV2Relative with RelativeDepthAnything" in finding.fix


def test_unknown_names_missing_files_and_bad_lines_are_reported_together(
    splits: tuple[Path, Path], tmp_path: Path
) -> None:
    splits[1].write_text("gone.png gone_d.png\n", encoding="utf-8")
    sources = (
        DataSource(dataset_name="NYUV2", data_file=str(splits[0])),
        DataSource(dataset_name="NYUDV2", data_file=str(tmp_path / "absent.txt")),
    )
    train = _split(splits[0], "NYUV2").model_copy(update={"data_sources": sources})

    report = inspect_data(_config(train, _split(splits[1], "NYUDV2")))

    with pytest.raises(DataError) as caught:
        report.raise_errors()
    text = str(caught.value)
    assert text.startswith("3 problems with the data\n\nerror: dataset.train_dataset.data_sources[0].dataset_name\n")
    assert "did you mean NYUDV2?" in text
    assert "absent.txt cannot be read" in text
    assert "line 1: image not found: gone.png" in text


def test_a_set_smaller_than_one_step_of_all_devices_is_an_error_with_numbers(splits: tuple[Path, Path]) -> None:
    config = _config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"))

    assert not inspect_data(config, devices=2).findings
    train, val = inspect_data(config, devices=3).findings

    assert train.found == "4 samples"
    assert train.expected == "at least 2 x 3 device(s) = 6 samples, one full step"
    assert train.fix == "set batch_size to 1 or less"
    assert val.expected == "at least one sample for each of 3 devices"


def test_a_crop_off_the_patch_grid_gets_the_nearest_sizes(splits: tuple[Path, Path]) -> None:
    train = _split(splits[0], "NYUDV2", crop=(100, 28))

    finding = _only(inspect_data(_config(train, _split(splits[1], "NYUDV2"))).findings)

    assert finding.severity is Severity.ERROR
    assert finding.fix == "use [98, 28] or [112, 28]"


def test_a_crop_that_is_no_square_is_doubtful_in_training_only(splits: tuple[Path, Path]) -> None:
    train, val = _split(splits[0], "NYUDV2", crop=(28, 42)), _split(splits[1], "NYUDV2", crop=(28, 42))

    finding = _only(inspect_data(_config(train, val)).findings)

    assert finding.severity is Severity.WARNING
    assert "training cuts 28x28" in finding.expected


def test_depth_ranges_that_do_not_fit_the_model_are_doubtful(splits: tuple[Path, Path]) -> None:
    metric = _config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"), max_depth=None)
    relative = _config(
        _split(splits[0], "NYUDV2Relative"), _split(splits[1], "NYUDV2Relative"), ModelType.RELATIVE, min_depth=0.1
    )

    assert _only(inspect_data(metric).findings).where == "dataset.max_depth"
    assert "no depth range" in _only(inspect_data(relative).findings).expected


def test_images_and_ground_truth_of_different_size_are_an_error(splits: tuple[Path, Path]) -> None:
    write_depth_mm(splits[0].parent / "depth_2.png", 24, 32)

    finding = _only(inspect_data(_config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"))).findings)

    assert finding.severity is Severity.ERROR
    assert "1 of 4 sampled lines cannot be used: line 3: " in finding.found


def test_a_size_mismatch_between_the_sampled_rows_is_found_too(splits: tuple[Path, Path]) -> None:
    train = write_nyu(splits[0].parent / "many", 40)
    write_depth_mm(train.parent / "depth_1.png", 24, 32)

    finding = _only(inspect_data(_config(_split(train, "NYUDV2"), _split(splits[1], "NYUDV2")), samples=3).findings)

    assert finding.found.startswith("1 of 40 lines whose files do not fit: line 2: ")
    assert finding.severity is Severity.ERROR


def test_rows_without_ground_truth_and_files_of_another_kind_are_errors(splits: tuple[Path, Path]) -> None:
    splits[0].write_text(splits[0].read_text(encoding="utf-8") + "rgb_0.png\n", encoding="utf-8")
    np.save(splits[1].parent / "d.npy", np.ones((48, 64)))
    splits[1].write_text("rgb_0.png d.npy\nrgb_1.png d.npy\n", encoding="utf-8")

    train, val = inspect_data(_config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"))).findings

    assert train.found == "1 of 5 lines without ground truth, first in lines 5"
    assert val.found.startswith("2 ground-truth files of another kind: line 1: NYUDV2 reads .png")


def test_an_inference_split_needs_no_ground_truth(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "list.txt").write_text("a.png\n", encoding="utf-8")
    split = _split(tmp_path / "list.txt", "NYUDV2", batch_size=8)
    config = ExperimentConfig(dataset=DatasetConfig(infer_dataset=split, max_depth=10.0))

    report = inspect_data(config, splits=("infer",))

    assert not report.findings
    assert str(report.sources[0]).endswith("no ground truth")


def test_an_image_of_both_splits_is_doubtful(splits: tuple[Path, Path]) -> None:
    finding = _only(inspect_data(_config(_split(splits[0], "NYUDV2"), _split(splits[0], "NYUDV2"))).findings)

    assert finding.severity is Severity.WARNING
    assert finding.found.startswith("4 images of the training split are validated on too, of 4 in the val split")


@pytest.mark.parametrize("action", ["train", "evaluate"])
def test_a_test_folder_that_holds_the_training_images_is_doubtful(
    splits: tuple[Path, Path], tmp_path: Path, action: str
) -> None:
    linked = tmp_path / "linked"
    linked.symlink_to(splits[0].parent, target_is_directory=True)
    config = _config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"))
    test = _split(linked, "NYUDV2")
    config = config.model_copy(update={"dataset": config.dataset.model_copy(update={"test_dataset": test})})

    report = inspect_data(config, splits=("train", "val") if action == "train" else ("test",))

    finding = _only(report.findings)
    assert finding.where == "dataset.test_dataset"
    assert finding.found.startswith("4 images of the training split are tested on too, of ")


def _disparity_set(folder: Path, values: float, count: int = 4) -> Path:
    lines = []
    for index in range(count):
        disparity = np.full((48, 64), values, dtype=np.float32)
        disparity[:20] = 12.0 + index
        write_picture(folder / f"{index}.png", seed=index)
        write_pfm(folder / f"{index}.pfm", disparity)
        lines.append(f"{index}.png {index}.pfm\n")
    (folder / "list.txt").write_text("".join(lines), encoding="utf-8")
    return folder / "list.txt"


def test_zeros_are_left_out_and_the_summary_says_how_many(tmp_path: Path) -> None:
    train, val = _disparity_set(tmp_path / "a", 0.0), _disparity_set(tmp_path / "b", 30.0)

    report = inspect_data(_config(_split(train, "Middlebury"), _split(val, "Middlebury"), ModelType.RELATIVE))

    assert not report.findings
    assert "valid 41.7 %  0 in 58 % (left out)" in str(report.sources[0])
    assert "left out" not in str(report.sources[1])


def test_empty_images_and_ground_truth_that_never_varies_are_doubtful(splits: tuple[Path, Path]) -> None:
    write_depth_mm(splits[0].parent / "depth_3.png", value=0)
    for index in range(2):
        write_depth_mm(splits[1].parent / f"depth_{index}.png", value=2500)

    empty, flat = inspect_data(_config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"))).findings

    assert empty.found == "1 of 4 sampled images have no valid pixel"
    assert flat.found == "the same value, 2.5, nearly everywhere"
    assert {empty.severity, flat.severity} == {Severity.WARNING}


def test_ground_truth_without_any_finite_or_countable_value_is_an_error(tmp_path: Path) -> None:
    unknown, huge = _disparity_set(tmp_path / "a", np.inf), _disparity_set(tmp_path / "b", 5000.5)
    for index in range(4):
        write_pfm(unknown.parent / f"{index}.pfm", np.full((48, 64), np.inf, dtype=np.float32))
        write_pfm(huge.parent / f"{index}.pfm", np.full((48, 64), 5000.5, dtype=np.float32))

    train, val = inspect_data(
        _config(_split(unknown, "Middlebury"), _split(huge, "Middlebury"), ModelType.RELATIVE)
    ).findings

    assert train.found == "no finite value in any sampled ground truth"
    assert val.expected == "values with a disparity below 1000"
    assert {train.severity, val.severity} == {Severity.ERROR}


def test_normalised_metres_are_doubtful(splits: tuple[Path, Path]) -> None:
    config = _config(_split(splits[0], "NYUDV2"), _split(splits[1], "NYUDV2"), normalize_depth=True)

    assert _only(inspect_data(config).findings).where == "dataset.normalize_depth"


@pytest.mark.parametrize(
    ("max_depth", "words"),
    [(2.0, "values reach max_depth 2 m or more"), (80.0, "values are below 3.87 m"), (0.5, "0.0 % of pixels valid")],
)
def test_a_depth_range_far_from_the_data_is_reported(splits: tuple[Path, Path], max_depth: float, words: str) -> None:
    split = _split(splits[0], "NYUDV2")

    findings = inspect_data(_config(split, _split(splits[1], "NYUDV2"), max_depth=max_depth)).findings

    assert words in findings[0].found


def test_a_check_is_soon_done(tmp_path: Path) -> None:
    train, val = write_nyu(tmp_path / "a", 100, height=120, width=160), write_nyu(tmp_path / "b", 24)
    config = _config(_split(train, "NYUDV2"), _split(val, "NYUDV2"))

    started = time.process_time()
    inspect_data(config)

    assert time.process_time() - started < 5.0  # 0.3 s
