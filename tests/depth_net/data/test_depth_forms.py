"""Every form in which people bring depth: read in the right unit, or refused with the units that it may have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import h5py
import numpy as np
import pytest

from depth_net.actions.check import inspect_data
from depth_net.config.dataset import AugmentationConfig, DatasetConfig, DataSource, SplitConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.model import ModelConfig
from depth_net.data.dataset import dataset_of
from depth_net.data.readers import write_pfm
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType
from tests.depth_net.data.builders import write_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

PAGE = Path(__file__).parents[3] / "docs/tutorial/your_own_depth_data.md"
HEIGHT, WIDTH = 48, 64
TRUE_M = np.linspace(1.5, 9.0, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
"""Depth along the optical axis."""
UNKNOWN = (slice(0, 4), slice(0, 4))
"""A corner without a measurement."""


def _png(path: Path, values: Values) -> None:
    stored = np.rint(values)
    stored[UNKNOWN] = 0
    assert cv2.imwrite(str(path), stored.astype(np.uint16))


def _floats(values: Values) -> npt.NDArray[np.float32]:
    stored = values.astype(np.float32)
    stored[UNKNOWN] = np.nan
    return stored


def _hypersim(path: Path, values: Values) -> None:
    focal = 886.81 * WIDTH / 1024
    x, y = np.arange(WIDTH) - (WIDTH - 1) / 2, np.arange(HEIGHT) - (HEIGHT - 1) / 2
    with h5py.File(path, "w") as file:
        file["dataset"] = _floats(values * np.sqrt(1 + (x[None] / focal) ** 2 + (y[:, None] / focal) ** 2))


def _hdf5(path: Path, values: Values) -> None:
    with h5py.File(path, "w") as file:
        file["depth"], file["confidence"] = _floats(values), np.ones((2, 2))


def _diode(path: Path, values: Values) -> None:
    mask = np.ones(values.shape)
    mask[UNKNOWN] = 0
    np.save(path, values[..., None].astype(np.float32))
    np.save(path.with_name(f"{path.stem}_mask.npy"), mask)


def _sky(path: Path, values: Values) -> None:
    stored = np.rint(values)
    stored[UNKNOWN] = 65535
    assert cv2.imwrite(str(path), stored.astype(np.uint16))


def _raw(path: Path, values: Values) -> None:
    _floats(values).tofile(path)


def _npz(path: Path, values: Values) -> None:
    np.savez(path, depth=_floats(values), other=np.ones(3))


def _tiff(path: Path, values: Values) -> None:
    assert cv2.imwrite(str(path), _floats(values))


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form: where its depth lies, how it is written, and what a spec says about it."""

    depth: str
    write: Callable[[Path, Values], None]
    per_metre: float = 1.0
    source: dict[str, Any]
    is_recognised: bool = False


FORMS = {
    "NYU Depth V2": Form(
        depth="kitchen/sync_depth_00000.png", write=_png, per_metre=1000, source={"dataset_name": "NYUDV2"},
        is_recognised=True,
    ),
    "KITTI": Form(
        depth="2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png",
        write=_png, per_metre=256, source={"dataset_name": "KITTI"}, is_recognised=True,
    ),
    "Virtual KITTI 2": Form(
        depth="Scene01/clone/frames/depth/Camera_0/depth_00000.png",
        write=_sky, per_metre=100, source={"dataset_name": "VKITTI2"}, is_recognised=True,
    ),
    "Hypersim": Form(
        depth="ai_001_001/images/scene_cam_00_geometry_hdf5/frame.0000.depth_meters.hdf5",
        write=_hypersim, source={"dataset_name": "Hypersim"}, is_recognised=True,
    ),
    "DIODE": Form(
        depth="scene_00019/scan_00183/00019_00183_indoors_000_010_depth.npy",
        write=_diode, source={"dataset_name": "DIODE"}, is_recognised=True,
    ),
    "ETH3D": Form(
        depth="pipes/ground_truth_depth/dslr_images/DSC_0634.JPG",
        write=_raw, source={"dataset_name": "ETH3D"}, is_recognised=True,
    ),
    "TUM": Form(
        depth="rgbd/depth/1305031102.160407.png", write=_png, per_metre=5000, source={"dataset_name": "TUM"},
        is_recognised=True,
    ),
    "PNG in millimetres": Form(depth="d.png", write=_png, per_metre=1000, source={"depth_scale": "millimetres"}),
    "PNG in centimetres with sky": Form(
        depth="d.png", write=_sky, per_metre=100, source={"depth_scale": "centimetres", "invalid_values": ("sky",)},
    ),
    "PNG in 1/256 m": Form(depth="d.png", write=_png, per_metre=256, source={"depth_scale": "1/256"}),
    "PNG of a scale of its own": Form(depth="d.png", write=_png, per_metre=4000, source={"depth_scale": "0.00025"}),
    "NPY": Form(
        depth="d.npy", write=lambda path, values: np.save(path, _floats(values)), source={"depth_scale": "metres"}
    ),
    "NPZ": Form(depth="d.npz", write=_npz, source={"depth_scale": "metres"}),
    "TIFF of floats": Form(depth="d.tiff", write=_tiff, source={"dataset_name": "MetricMonoDataset"}),
    "HDF5": Form(depth="d.h5", write=_hdf5, per_metre=1000, source={"depth_scale": "0.001"}),
    "PFM": Form(
        depth="d.pfm", write=lambda path, values: write_pfm(path, _floats(values)), source={"depth_scale": "metres"}
    ),
    "inverse depth": Form(
        depth="d.npy", write=lambda path, values: np.save(path, _floats(1 / values)),
        source={"depth_scale": "1", "depth_kind": "inverse_depth"},
    ),
}  # fmt: skip


def _config(
    folder: Path, depth: Path, source: dict[str, Any], model_type: ModelType = ModelType.METRIC
) -> ExperimentConfig:
    write_picture(folder / "image.png", HEIGHT, WIDTH)
    (folder / "list.txt").write_text(f"image.png {depth}\n" * 2, encoding="utf-8")
    split = SplitConfig(
        data_sources=(DataSource(data_file=str(folder / "list.txt"), **source),),
        workers=0,
        augmentation=AugmentationConfig(crop_size=(28, 28)),
    )
    return ExperimentConfig(
        model=ModelConfig(model_type=model_type),
        dataset=DatasetConfig(val_dataset=split, max_depth=10.0 if model_type is ModelType.METRIC else None),
    )


@pytest.mark.parametrize("name", FORMS)
def test_a_stated_unit_gives_metres(tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    depth = tmp_path / form.depth
    depth.parent.mkdir(parents=True, exist_ok=True)
    form.write(depth, TRUE_M * form.per_metre)
    config = _config(tmp_path, depth, {**form.source, "eval_crop": "none"})

    report = inspect_data(config, splits=("val",))
    sample = dataset_of(config, "val", seed=0)[0]

    assert not report.errors
    (summary,) = report.sources
    assert summary.facts.percentiles is not None
    if form.source.get("depth_kind") is None:
        assert summary.facts.percentiles[1] == pytest.approx(np.median(TRUE_M), rel=0.01)
    target, valid = sample["target"][0].numpy(), sample["valid"][0].numpy()
    assert not valid[UNKNOWN].any()
    assert valid.sum() == valid.size - 16
    np.testing.assert_allclose(target[valid], TRUE_M[valid], atol=0.5 / form.per_metre + 1e-4)


@pytest.mark.parametrize("name", FORMS)
def test_a_unit_that_nobody_stated_is_proved_by_the_names_of_files_or_refused(tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    depth = tmp_path / form.depth
    depth.parent.mkdir(parents=True, exist_ok=True)
    form.write(depth, TRUE_M * form.per_metre)
    config = _config(tmp_path, depth, {})

    report = inspect_data(config, splits=("val",))

    if form.is_recognised:
        assert not report.errors
        assert f"{form.source['dataset_name']} (by its file names)" in str(report.sources[0])
        return
    (finding,) = report.errors
    assert "nothing says the unit of the ground truth" in finding.found
    assert "metres (value / 1)" in finding.found
    assert "millimetres (value / 1000)" in finding.found
    assert "for a room" in finding.found
    assert finding.fix.startswith("set depth_scale")
    with pytest.raises(SpecError, match="nothing says the unit"):
        dataset_of(config, "val", seed=0)


@pytest.mark.parametrize("name", FORMS)
def test_the_page_about_own_data_says_what_a_form_is_read_as(name: str) -> None:
    *_, row = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {name} |"))

    form = FORMS[name]
    for key, value in form.source.items():
        shown = f"[{', '.join(value)}]" if isinstance(value, tuple) else value
        assert f"`{key}: {shown}`" in row
    assert row.endswith("by its file names |" if form.is_recognised else "refused, with the candidates |")


def test_the_candidates_have_the_median_depth_of_each_unit(tmp_path: Path) -> None:
    _png(tmp_path / "d.png", np.full((HEIGHT, WIDTH), 4400.0))

    (finding,) = inspect_data(_config(tmp_path, tmp_path / "d.png", {}), splits=("val",)).errors

    for words in ("kitti (value / 256) 17.2 m", "millimetres (value / 1000) 4.4 m", "centimetres (value / 100) 44 m"):
        assert words in finding.found
    assert "tum (value / 5000) 0.88 m" in finding.found


@pytest.mark.parametrize("source", [{}, {"dataset_name": "RelativeMonoDataset"}])
def test_the_candidates_of_a_relative_model_are_depths_and_disparities(tmp_path: Path, source: dict[str, Any]) -> None:
    _png(tmp_path / "d.png", np.full((HEIGHT, WIDTH), 25.0 * 256))

    (finding,) = inspect_data(_config(tmp_path, tmp_path / "d.png", source, ModelType.RELATIVE), splits=("val",)).errors

    assert "millimetres (value / 1000) 6.4 m" in finding.found
    assert "as disparity: as stored 6400 px; kitti (value / 256) 25 px" in finding.found
    assert "depth_kind" in finding.fix


def _as_png(path: Path, values: npt.NDArray[np.float32]) -> None:
    assert cv2.imwrite(str(path), values.astype(np.uint16))


def _as_hdf5(path: Path, values: npt.NDArray[np.float32]) -> None:
    with h5py.File(path, "w") as file:
        file["depth"] = values


ZEROS: dict[str, Callable[[Path, npt.NDArray[np.float32]], object]] = {
    "png": _as_png,
    "tiff": lambda path, values: cv2.imwrite(str(path), values),
    "npy": np.save,
    "npz": lambda path, values: np.savez(path, depth=values),
    "pfm": write_pfm,
    "h5": _as_hdf5,
}


@pytest.mark.parametrize("suffix", ZEROS)
@pytest.mark.parametrize(
    ("kind", "model_type"),
    [
        ("depth", ModelType.METRIC),
        ("inverse_depth", ModelType.METRIC),
        ("depth", ModelType.RELATIVE),
        ("disparity", ModelType.RELATIVE),
        ("inverse_depth", ModelType.RELATIVE),
    ],
)
def test_zero_is_unknown_in_every_kind_of_file(tmp_path: Path, suffix: str, kind: str, model_type: ModelType) -> None:
    values = np.rint(TRUE_M).astype(np.float32)
    values[UNKNOWN] = 0
    ZEROS[suffix](tmp_path / f"d.{suffix}", values)
    config = _config(tmp_path, tmp_path / f"d.{suffix}", {"depth_scale": "1", "depth_kind": kind}, model_type)

    valid = dataset_of(config, "val", seed=0)[0]["valid"][0].numpy()
    (summary,) = inspect_data(config, splits=("val",)).sources

    np.testing.assert_array_equal(valid, values > 0)
    assert "0 in 0.52 % (left out)" in str(summary)


@pytest.mark.parametrize("suffix", ZEROS)
def test_zero_counts_where_a_source_says_so(tmp_path: Path, suffix: str) -> None:
    values = np.rint(TRUE_M).astype(np.float32)
    values[UNKNOWN] = 0
    ZEROS[suffix](tmp_path / f"d.{suffix}", values)
    source = {"depth_scale": "1", "depth_kind": "disparity", "zero_counts": True}
    config = _config(tmp_path, tmp_path / f"d.{suffix}", source, ModelType.RELATIVE)

    assert dataset_of(config, "val", seed=0)[0]["valid"].all()
    (summary,) = inspect_data(config, splits=("val",)).sources
    assert "valid 100.0 %  0 in 0.52 % (counted)" in str(summary)


RELATIVE = {
    "disparity x 256": ({"depth_scale": "kitti", "depth_kind": "disparity"}, 256.0, False),
    "inverse depth": ({"depth_scale": "0.01", "depth_kind": "inverse_depth"}, 100.0, False),
    "millimetres": ({"depth_scale": "millimetres"}, 1000.0, True),
    "KITTI": ({"dataset_name": "KITTI"}, 256.0, True),
}


@pytest.mark.parametrize("name", RELATIVE)
def test_a_relative_model_gets_disparity_as_it_stands_and_depth_inverted(tmp_path: Path, name: str) -> None:
    source, scale, is_inverted = RELATIVE[name]
    _png(tmp_path / "d.png", TRUE_M * scale)

    sample = dataset_of(_config(tmp_path, tmp_path / "d.png", source, ModelType.RELATIVE), "val", seed=0)[0]

    target, valid = sample["target"][0].numpy(), sample["valid"][0].numpy()
    assert valid.sum() == valid.size - 16
    np.testing.assert_allclose(target[valid], (1 / TRUE_M if is_inverted else TRUE_M)[valid], rtol=0.01)


@pytest.mark.parametrize(
    ("source", "model_type", "words"),
    [
        ({"dataset_name": "NYUDV2", "depth_scale": "kitti"}, ModelType.METRIC, "value / 256, beside dataset_name"),
        ({"dataset_name": "KITTI", "depth_kind": "inverse_depth"}, ModelType.METRIC, "whose files hold depth"),
        ({"depth_scale": "1", "depth_kind": "disparity"}, ModelType.METRIC, "disparity for a metric model"),
        ({"depth_scale": "0.5"}, ModelType.RELATIVE, "depth_kind: found nothing beside depth_scale 0.5"),
        ({"depth_scale": "tum", "depth_kind": "disparity"}, ModelType.RELATIVE, "a unit of depth"),
        ({"depth_scale": "metres", "zero_counts": True}, ModelType.RELATIVE, "zero_counts: found true for depth"),
        ({"depth_scale": "metres", "zero_counts": True}, ModelType.METRIC, "zero_counts: found true for depth"),
        ({}, ModelType.RELATIVE, "nothing says the unit"),
        ({"depth_kind": "depth"}, ModelType.RELATIVE, "nothing says the unit"),
    ],
)  # fmt: skip
def test_units_that_contradict_each_other_are_refused(
    tmp_path: Path, source: dict[str, Any], model_type: ModelType, words: str
) -> None:
    _png(tmp_path / "d.png", TRUE_M * 1000)
    config = _config(tmp_path, tmp_path / "d.png", source, model_type)

    (finding,) = inspect_data(config, splits=("val",)).errors

    assert words in finding.found
    with pytest.raises(SpecError, match=words.replace("(", r"\(")):
        dataset_of(config, "val", seed=0)


@pytest.mark.parametrize("median_m", [5.5, 6.0])
def test_two_units_that_fit_a_room_alike_are_both_possible_and_none_is_likely(tmp_path: Path, median_m: float) -> None:
    _png(tmp_path / "d.png", TRUE_M / np.median(TRUE_M) * median_m * 1000)

    (finding,) = inspect_data(_config(tmp_path, tmp_path / "d.png", {}), splits=("val",)).errors

    shown = finding.found.partition("by unit: ")[2].split("; ")
    assert {each.split()[0] for each in shown if each.endswith("m, possible for a room")} == {"millimetres", "tum"}
    assert "likely" not in finding.found


def test_a_scale_that_agrees_with_the_class_is_accepted(tmp_path: Path) -> None:
    _png(tmp_path / "d.png", TRUE_M * 256)
    config = _config(tmp_path, tmp_path / "d.png", {"dataset_name": "KITTI", "depth_scale": "0.00390625"})

    assert not inspect_data(config, splits=("val",)).findings


def test_known_units_under_the_wrong_class_are_doubted_with_every_candidate(tmp_path: Path) -> None:
    _png(tmp_path / "d.png", TRUE_M[::-1] * 5000)
    config = _config(tmp_path, tmp_path / "d.png", {"dataset_name": "NYUDV2"})

    (finding,) = inspect_data(config, splits=("val",)).findings

    assert "reach max_depth 10 m" in finding.found
    assert "tum (value / 5000) 5.23 m, likely for a room" in finding.found
    assert "if value / 1000 m is right, else set depth_scale" in finding.fix


@pytest.mark.parametrize(
    ("crop", "rows"), [("none", (0, 100)), ("eigen", (33, 91)), ("garg", (40, 99)), ("nyu", (9, 98))]
)
def test_a_crop_is_that_of_the_published_evaluation(tmp_path: Path, crop: str, rows: tuple[int, int]) -> None:
    np.save(tmp_path / "d.npy", np.full((100, 300), 5.0, dtype=np.float32))
    config = _config(tmp_path, tmp_path / "d.npy", {"depth_scale": "metres", "eval_crop": crop})
    write_picture(tmp_path / "image.png", 100, 300)

    valid = np.flatnonzero(dataset_of(config, "val", seed=0)[0]["valid"][0].numpy()[:, 150])

    assert (valid[0], valid[-1] + 1) == rows


def test_the_box_of_nyu_in_images_of_another_shape_is_doubted(tmp_path: Path) -> None:
    _png(tmp_path / "d.png", np.linspace(1000, 9000, 30 * 100).reshape(30, 100))
    config = _config(tmp_path, tmp_path / "d.png", {"dataset_name": "NYUDV2"})
    write_picture(tmp_path / "image.png", 30, 100)

    (finding,) = inspect_data(config, splits=("val",)).findings

    assert finding.found == "the box of NYU Depth V2 in images of another shape, (30, 100)"


def _picture_as_depth(folder: Path) -> None:
    write_picture(folder / "d.png", HEIGHT, WIDTH, seed=9)


def _picture_as_tiff(folder: Path) -> None:
    assert cv2.imwrite(str(folder / "x.tiff"), np.random.default_rng(9).random((HEIGHT, WIDTH, 3)).astype(np.float32))
    (folder / "x.tiff").rename(folder / "d.png")


@pytest.mark.parametrize("write", [_picture_as_depth, _picture_as_tiff])
@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("NYUDV2", ModelType.METRIC),
        ("KITTI", ModelType.METRIC),
        ("", ModelType.METRIC),
        ("RelativeMonoDataset", ModelType.RELATIVE),
        ("Crestereo", ModelType.RELATIVE),
    ],
)
def test_a_picture_is_no_ground_truth(
    tmp_path: Path, write: Callable[[Path], None], name: str, model_type: ModelType
) -> None:
    write(tmp_path)
    config = _config(tmp_path, tmp_path / "d.png", {"dataset_name": name}, model_type)

    (finding,) = inspect_data(config, splits=("val",)).errors

    assert "channels that differ: a picture, not depth" in finding.found
    if name:
        with pytest.raises(DataError, match="a picture, not depth"):
            dataset_of(config, "val", seed=0)[0]


def test_equal_channels_and_transparency_are_one_channel(tmp_path: Path) -> None:
    stored = np.rint(TRUE_M * 1000).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / "d.png"), np.stack([stored, stored, stored, np.full_like(stored, 65535)], -1))
    config = _config(tmp_path, tmp_path / "d.png", {"depth_scale": "millimetres"})

    assert not inspect_data(config, splits=("val",)).findings


def test_eight_bits_are_doubted_with_the_number_of_levels(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "d.png"), np.rint(TRUE_M * 20).astype(np.uint8))
    config = _config(tmp_path, tmp_path / "d.png", {"depth_scale": "0.05"})

    (finding,) = inspect_data(config, splits=("val",)).findings

    assert finding.found == "8-bit ground truth: 151 different values"


def test_swapped_columns_are_named(tmp_path: Path) -> None:
    _png(tmp_path / "d.png", TRUE_M * 1000)
    config = _config(tmp_path, tmp_path / "d.png", {"dataset_name": "NYUDV2"})
    (tmp_path / "list.txt").write_text("d.png image.png\n", encoding="utf-8")

    (finding,) = inspect_data(config, splits=("val",)).errors

    assert "the columns seem to be swapped" in finding.found


def test_pixels_outside_a_mask_do_not_count(tmp_path: Path) -> None:
    _png(tmp_path / "d.png", TRUE_M * 1000)
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[10:20] = 255
    assert cv2.imwrite(str(tmp_path / "m.png"), mask)
    config = _config(tmp_path, tmp_path / "d.png", {"depth_scale": "millimetres"})
    (tmp_path / "list.txt").write_text("image.png d.png m.png\n", encoding="utf-8")

    sample = dataset_of(config, "val", seed=0)[0]

    np.testing.assert_array_equal(sample["valid"][0].numpy(), mask > 0)
    assert not inspect_data(config, splits=("val",)).errors


def test_half_a_percent_of_lidar_points_is_trained_on_with_a_warning(tmp_path: Path) -> None:
    sparse = np.where(np.random.default_rng(0).random(TRUE_M.shape) < 0.005, TRUE_M * 256, 0.0)
    _png(tmp_path / "d.png", sparse)
    config = _config(tmp_path, tmp_path / "d.png", {"dataset_name": "KITTI"})

    report = inspect_data(config, splits=("val",))

    assert not report.errors
    assert "of pixels have ground truth" in report.findings[0].found


def test_exr_is_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "d.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    config = _config(tmp_path, tmp_path / "d.exr", {"depth_scale": "metres"})

    (finding,) = inspect_data(config, splits=("val",)).errors

    assert "d.exr" in finding.found
    assert "EXR" in finding.found
