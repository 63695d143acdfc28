"""What each dataset name makes of its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from depth_net.config.choices import DepthKind, EvalCrop
from depth_net.data.annotations import Row
from depth_net.data.families import (
    DATASET_NAMES,
    DepthRange,
    check_ground_truth_suffixes,
    crop_box,
    find_dataset_class,
    ground_truth_from,
    load_ground_truth,
    require_family,
    resolve_depth_range,
)
from depth_net.data.readers import write_pfm
from depth_net.errors import SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from pathlib import Path

_INF = np.inf


def _row(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([values], dtype=np.float32)


def test_the_names_and_two_aliases_are_known_in_any_case() -> None:
    assert len(DATASET_NAMES) == 16
    assert all(find_dataset_class(name.upper()).name == name for name in DATASET_NAMES)
    assert find_dataset_class("BaseRelativeMonoDataset").name == "RelativeMonoDataset"
    assert find_dataset_class("basemetricmonodataset").name == "MetricMonoDataset"


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(SpecError, match=r"found 'NYUV2'.*did you mean NYUDV2\?"):
        find_dataset_class("NYUV2")


@pytest.mark.parametrize(
    ("name", "model_type", "advice"),
    [
        ("NYUDV2", ModelType.RELATIVE, "use dataset_name NYUDV2Relative with RelativeDepthAnything"),
        ("nyudv2relative", ModelType.METRIC, "use dataset_name NYUDV2 with MetricDepthAnything"),
        ("MetricMonoDataset", ModelType.RELATIVE, "model_type MetricDepthAnything with MetricMonoDataset"),
        ("FSD", ModelType.METRIC, "use dataset_name MetricMonoDataset with MetricDepthAnything"),
    ],
)
def test_a_mismatched_family_names_the_right_pair(name: str, model_type: ModelType, advice: str) -> None:
    with pytest.raises(SpecError, match=advice):
        require_family(name, model_type)


def test_metric_ground_truth_counts_strictly_inside_the_range() -> None:
    raw = _row(0.0, 0.5, 0.6, 9.9, 10.0, _INF, np.nan, -1.0)

    truth = ground_truth_from(raw, require_family("MetricMonoDataset", ModelType.METRIC), DepthRange(0.5, 10.0))

    assert truth.valid.tolist() == [[False, False, True, True, False, False, False, False]]
    np.testing.assert_allclose(truth.target, _row(0, 0, 0.6, 9.9, 0, 0, 0, 0))


def test_disparity_counts_below_a_thousand_and_never_where_it_is_not_finite() -> None:
    raw = _row(0.0, 3.0, 999.0, 1000.0, _INF, -_INF, np.nan)

    truth = ground_truth_from(raw, require_family("RelativeMonoDataset", ModelType.RELATIVE), DepthRange())

    assert truth.valid.tolist() == [[False, True, True, False, False, False, False]]
    assert np.isfinite(truth.target).all()


@pytest.mark.parametrize("kind", [DepthKind.DISPARITY, DepthKind.INVERSE_DEPTH])
def test_nothing_is_farther_than_infinitely_far(kind: DepthKind) -> None:
    entry = replace(require_family("RelativeMonoDataset", ModelType.RELATIVE), kind=kind)

    truth = ground_truth_from(_row(-1.0, -1e-3, 0.0, 0.25), entry, DepthRange())

    assert truth.valid.tolist() == [[False, False, False, True]]
    assert truth.target.tolist() == [[0.0, 0.0, 0.0, 0.25]]
    counted = ground_truth_from(_row(-1.0, -1e-3, 0.0, 0.25), replace(entry, zero_counts=True), DepthRange())
    assert counted.valid.tolist() == [[False, False, True, True]]


def test_relative_nyu_inverts_depth_inside_its_fixed_range() -> None:
    raw = np.full((480, 640), 4000.0, dtype=np.float32)
    raw[240, 320:323] = (0.0, 12000.0, 2000.0)

    truth = ground_truth_from(raw, require_family("NYUDV2Relative", ModelType.RELATIVE), DepthRange(3.0, 5.0))

    assert truth.target[240, 320:324].tolist() == [0.0, 0.0, 0.5, 0.25]
    assert truth.valid[240, 320:324].tolist() == [False, False, True, True]
    assert not truth.valid[0, 0]


def test_missing_depth_of_threedvlm_does_not_count() -> None:
    truth = ground_truth_from(_row(-1.0, 0.0, 0.5), require_family("ThreeDVLM", ModelType.RELATIVE), DepthRange())

    assert truth.valid.tolist() == [[False, False, True]]
    np.testing.assert_allclose(truth.target, _row(0.0, 0.0, 0.002))


def test_normalising_stretches_the_valid_values_even_beside_infinity() -> None:
    raw = _row(2.0, 4.0, 6.0, _INF)

    truth = ground_truth_from(raw, require_family("Middlebury", ModelType.RELATIVE), DepthRange(), normalize=True)

    np.testing.assert_allclose(truth.target, _row(0.0, 0.5, 1.0, 0.0))
    assert truth.valid.tolist() == [[True, True, True, False]]


def test_normalising_an_image_without_valid_pixels_gives_zeros() -> None:
    truth = ground_truth_from(
        _row(_INF, _INF), require_family("Middlebury", ModelType.RELATIVE), DepthRange(), normalize=True
    )

    assert not truth.valid.any()
    assert not truth.target.any()


def test_the_eigen_box_of_a_native_image_is_rows_45_to_471_and_columns_41_to_601() -> None:
    box = crop_box(EvalCrop.NYU, 480, 640)

    assert box[45:471, 41:601].all()
    assert box.sum() == 426 * 560


@pytest.mark.parametrize(("height", "width"), [(120, 160), (240, 320), (960, 1280)])
def test_the_eigen_box_keeps_its_share_at_other_sizes(height: int, width: int) -> None:
    assert crop_box(EvalCrop.NYU, height, width).mean() == pytest.approx(426 * 560 / (480 * 640), abs=0.01)


def test_one_reader_flips_and_the_other_does_not(tmp_path: Path) -> None:
    write_pfm(tmp_path / "a.pfm", np.array([[1.0], [2.0]], dtype=np.float32))
    row = Row(tmp_path / "a.png", tmp_path / "a.pfm", 1)

    standard = load_ground_truth(row, require_family("IssacStereo", ModelType.RELATIVE), DepthRange(), (2, 1))
    unflipped = load_ground_truth(row, require_family("NvCLIP", ModelType.RELATIVE), DepthRange(), (2, 1))

    assert standard.target.tolist() == [[1.0], [2.0]]
    assert unflipped.target.tolist() == [[2.0], [1.0]]


def test_ground_truth_of_another_kind_is_reported_with_its_line(tmp_path: Path) -> None:
    paths = [(3, tmp_path / "a.PNG"), (4, tmp_path / "b.npy")]

    problems = check_ground_truth_suffixes(require_family("NYUDV2", ModelType.METRIC), paths)

    assert problems == (f"line 4: NYUDV2 reads .png, found {tmp_path / 'b.npy'}",)


def test_a_missing_end_of_the_range_has_a_default_and_an_empty_range_is_refused() -> None:
    assert resolve_depth_range(None, None) == DepthRange(0.001, 10.0)
    assert resolve_depth_range(None, 80.0) == DepthRange(0.001, 80.0)
    with pytest.raises(SpecError, match=r"found 5\.0 and 5\.0 m"):
        resolve_depth_range(5.0, 5.0)
