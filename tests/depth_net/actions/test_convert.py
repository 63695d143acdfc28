"""Annotation files from a folder tree."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from depth_net.actions.convert import ConvertReport, convert, convert_preset
from depth_net.config.actions import ConvertConfig
from depth_net.data.annotations import read_annotations
from depth_net.data.layouts import recognise
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType
from depth_net.spec import preset_config


def _tree(root: Path, scenes: int = 3, views: int = 4) -> Path:
    for scene in range(scenes):
        for view in range(views):
            _touch(root / f"scene_{scene}", f"rgb_{view}.jpg", f"sync_depth_{view}.png")
    return root


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def _convert(root: Path, results: Path, **changes: Any) -> ConvertReport:  # noqa: ANN401 - keywords of the settings under test
    keywords: dict[str, Any] = {
        "image_dir_pattern": ("rgb_",),
        "depth_dir_pattern": ("sync_depth_",),
        "image_extension": ".jpg",
        "depth_extension": ".png",
        "split_ratio": 0.75,
    }
    relative = changes.pop("relative_paths", False)
    config = ConvertConfig(results_dir=str(results), data_root=str(root), **(keywords | changes))
    return convert(config, relative_paths=relative)


def test_the_raw_layout_of_nyu_becomes_a_train_and_a_val_file(tmp_path: Path) -> None:
    report = _convert(_tree(tmp_path / "nyu"), tmp_path / "out")

    assert report.files == ((tmp_path / "out/train.txt", 8), (tmp_path / "out/val.txt", 4))
    assert not report.warnings
    train, val = (read_annotations(file) for file, _ in report.files)
    assert len({row.image for row in (*train, *val)}) == 12
    for row in (*train, *val):
        assert row.depth == row.image.with_name(row.image.name.replace("rgb_", "sync_depth_")).with_suffix(".png")


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_ratio_of_zero_or_one_writes_one_test_file(tmp_path: Path, ratio: float) -> None:
    report = _convert(_tree(tmp_path / "nyu"), tmp_path / "out", split_ratio=ratio)

    assert report.files == ((tmp_path / "out/test.txt", 12),)


def test_the_same_seed_gives_the_same_files_and_another_seed_does_not(tmp_path: Path) -> None:
    root = _tree(tmp_path / "nyu")

    texts = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        _convert(root, tmp_path / name, seed=seed, split_by="frame")
        texts.append((tmp_path / name / "train.txt").read_text(encoding="utf-8"))

    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_an_existing_file_is_refused_and_left_alone_unless_overwriting(tmp_path: Path) -> None:
    root = _tree(tmp_path / "nyu")
    _touch(tmp_path / "out", "val.txt")

    with pytest.raises(DataError, match=r"already written: .*val\.txt; set overwrite: true"):
        _convert(root, tmp_path / "out")
    assert not (tmp_path / "out/train.txt").exists()

    _convert(root, tmp_path / "out", overwrite=True)
    _convert(root, tmp_path / "out", overwrite=True)
    assert len(read_annotations(tmp_path / "out/val.txt")) == 4


def test_images_without_ground_truth_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = _tree(tmp_path / "nyu")
    (root / "scene_1/sync_depth_2.png").unlink()

    with caplog.at_level(logging.WARNING):
        report = _convert(root, tmp_path / "out", split_ratio=0.0)

    assert "1 of 12 images left out" in caplog.text
    assert "sync_depth_2.png, which does not exist" in report.warnings[0]
    assert len(read_annotations(tmp_path / "out/test.txt")) == 11


def test_patterns_that_lead_nowhere_name_the_expected_file(tmp_path: Path) -> None:
    root = _tree(tmp_path / "nyu", 1, 2)

    with pytest.raises(DataError, match=r"none of 2 images has its ground truth; for .*expected .*raw_0\.png"):
        _convert(root, tmp_path / "out", depth_dir_pattern=("raw_",))
    with pytest.raises(SpecError, match="gives the image itself"):
        _convert(root, tmp_path / "out", depth_dir_pattern=("rgb_",), depth_extension="jpg")
    assert not (tmp_path / "out").exists()


def test_folders_that_contain_the_extension_or_the_pattern_of_the_root_do_not_confuse(tmp_path: Path) -> None:
    root = tmp_path / "rgb_set.jpg"
    _touch(root / "jpg/a", "rgb_1.jpg")
    _touch(root / "jpg/a", "sync_depth_1.png")

    _convert(root, tmp_path / "out", split_ratio=0.0)

    (row,) = read_annotations(tmp_path / "out/test.txt")
    assert row.depth == root / "jpg/a/sync_depth_1.png"


@pytest.mark.parametrize("pattern", ["images", "/images/"])
def test_a_pattern_may_stand_in_the_path_of_the_root_as_in_the_reference(tmp_path: Path, pattern: str) -> None:
    for name in ("images/one/a.jpg", "images/b.jpg", "truth/one/a.png", "truth/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    report = convert(
        ConvertConfig(
            results_dir=str(tmp_path / "lists"),
            data_root=str(tmp_path / "images"),
            image_dir_pattern=(pattern,),
            depth_dir_pattern=(pattern.replace("images", "truth"),),
        )
    )

    rows = read_annotations(report.files[0][0])
    pairs = {(str(row.image), str(row.depth)) for row in rows}
    assert pairs == {
        (str(tmp_path / f"images/{name}.jpg"), str(tmp_path / f"truth/{name}.png")) for name in ("one/a", "b")
    }


def test_several_patterns_are_replaced_one_by_one(tmp_path: Path) -> None:
    root = tmp_path / "set"
    _touch(root / "image/left", "1.png")
    _touch(root / "disparity/truth", "1.pfm")

    _convert(
        root,
        tmp_path / "out",
        image_dir_pattern=("/image/", "left"),
        depth_dir_pattern=("/disparity/", "truth"),
        image_extension="png",
        depth_extension="pfm",
        split_ratio=0.0,
    )

    (row,) = read_annotations(tmp_path / "out/test.txt")
    assert row.depth == root / "disparity/truth/1.pfm"


def test_right_images_and_masks_take_the_second_and_fourth_column(tmp_path: Path) -> None:
    _touch(tmp_path / "set", "L1.png", "R1.png", "D1.pfm", "M1.png")

    _convert(
        tmp_path / "set",
        tmp_path / "out",
        image_dir_pattern=("L",),
        right_dir_pattern=("R",),
        depth_dir_pattern=("D",),
        nocc_dir_pattern=("M",),
        image_extension="png",
        depth_extension="pfm",
        split_ratio=0.0,
    )

    names = [column.rsplit("/", 1)[1] for column in (tmp_path / "out/test.txt").read_text(encoding="utf-8").split()]
    assert names == ["L1.png", "R1.png", "D1.pfm", "M1.png"]
    assert read_annotations(tmp_path / "out/test.txt")[0].depth == tmp_path / "set/D1.pfm"


def test_paths_with_blanks_are_quoted_and_upper_case_extensions_found(tmp_path: Path) -> None:
    _touch(tmp_path / "my set/a b", "rgb_1.JPG", "sync_depth_1.png")

    _convert(tmp_path / "my set", tmp_path / "out", split_ratio=0.0)

    assert (tmp_path / "out/test.txt").read_text(encoding="utf-8").count('"') == 4
    assert read_annotations(tmp_path / "out/test.txt")[0].image == tmp_path / "my set/a b/rgb_1.JPG"


def test_images_alone_make_a_list_for_inference(tmp_path: Path) -> None:
    _touch(tmp_path / "set", "a.png", "b.jpeg", "note.txt")

    _convert(
        tmp_path / "set",
        tmp_path / "out",
        image_dir_pattern=(),
        depth_dir_pattern=(),
        image_extension="",
        split_ratio=0.0,
    )

    rows = read_annotations(tmp_path / "out/test.txt")
    assert sorted(row.image.name for row in rows) == ["a.png", "b.jpeg"]
    assert all(row.depth is None for row in rows)


def test_photographs_of_another_extension_are_pointed_out(tmp_path: Path) -> None:
    root = _tree(tmp_path / "nyu", 1, 2)
    _touch(root / "scene_9", "rgb_0.jpeg")

    report = _convert(root, tmp_path / "out", split_ratio=0.0)

    assert report.warnings == (
        f"1 files match image_dir_pattern but not image_extension .jpg, such as {root}/scene_9/rgb_0.jpeg",
    )


def test_nothing_found_shows_what_is_there(tmp_path: Path) -> None:
    _touch(tmp_path / "set/x", "color_1.bmp")

    with pytest.raises(
        DataError, match=r"no file matches image_dir_pattern \['rgb_'\].*found for example /x/color_1\.bmp"
    ):
        _convert(tmp_path / "set", tmp_path / "out")
    with pytest.raises(DataError, match="which is no folder"):
        _convert(tmp_path / "absent", tmp_path / "out")


def test_a_split_that_would_be_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found 0\.01 of 12 images in 12 groups, which leaves a split empty"):
        _convert(_tree(tmp_path / "nyu"), tmp_path / "out", split_ratio=0.01, split_by="frame")
    with pytest.raises(DataError, match=r"found 0\.95 of 12 images in 3 groups, which leaves a split empty"):
        _convert(_tree(tmp_path / "nyu"), tmp_path / "out", split_ratio=0.95)


def test_relative_paths_survive_a_move_of_the_whole_set(tmp_path: Path) -> None:
    _convert(_tree(tmp_path / "here/nyu"), tmp_path / "here", split_ratio=0.0, relative_paths=True)

    (tmp_path / "here").rename(tmp_path / "there")

    assert len(read_annotations(tmp_path / "there/test.txt")) == 12


def test_a_key_that_is_never_read_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _convert(_tree(tmp_path / "nyu"), tmp_path / "out", nocc_mask_dir_name="masks")

    assert "nocc_mask_dir_name: set without effect" in caplog.text


def _scenes(file: Path) -> set[str]:
    return {row.image.parent.name for row in read_annotations(file)}


def test_no_scene_is_in_two_splits_unless_frames_are_asked_for(tmp_path: Path) -> None:
    root = _tree(tmp_path / "nyu", 25, 4)

    _convert(root, tmp_path / "out", split_ratio=0.8)
    _convert(root, tmp_path / "mixed", split_ratio=0.8, split_by="frame")

    train, val = (_scenes(tmp_path / "out" / name) for name in ("train.txt", "val.txt"))
    assert (len(train), len(val)) == (20, 5)
    assert not train & val
    assert _scenes(tmp_path / "mixed/train.txt") & _scenes(tmp_path / "mixed/val.txt")


def test_scenes_are_found_below_a_folder_that_all_images_share(tmp_path: Path) -> None:
    for scene in range(4):
        _touch(tmp_path / f"set/rgb/scene_{scene}/cam", "1.png", "2.png")
        _touch(tmp_path / f"set/depth/scene_{scene}/cam", "1.npy", "2.npy")

    _convert(
        tmp_path / "set",
        tmp_path / "out",
        image_dir_pattern=("/rgb/",),
        depth_dir_pattern=("/depth/",),
        image_extension="png",
        depth_extension="npy",
        split_ratio=0.5,
    )

    train, val = (read_annotations(tmp_path / "out" / name) for name in ("train.txt", "val.txt"))
    assert not {row.image.parent for row in train} & {row.image.parent for row in val}
    assert {row.depth.suffix for row in (*train, *val) if row.depth} == {".npy"}


def test_folders_that_are_splits_keep_their_names(tmp_path: Path) -> None:
    for split, scenes in {"train": 3, "validation": 1, "test": 2}.items():
        _tree(tmp_path / "nyu" / split, scenes, 2)

    report = _convert(tmp_path / "nyu", tmp_path / "out", split_ratio=0.5)

    assert [(path.name, lines) for path, lines in report.files] == [("train.txt", 6), ("val.txt", 2), ("test.txt", 4)]


def test_a_root_one_level_too_deep_is_named(tmp_path: Path) -> None:
    root = _tree(tmp_path / "nyu") / "scene_0"

    with pytest.raises(DataError, match=rf"one scene with 4 images.*set data_root to {tmp_path}/nyu"):
        _convert(root, tmp_path / "out")
    (warning,) = _convert(root, tmp_path / "out", split_ratio=0.0).warnings
    assert f"set data_root to {tmp_path}/nyu" in warning


def test_masks_without_right_images_are_the_third_column(tmp_path: Path) -> None:
    _touch(tmp_path / "set/a", "L1.png", "D1.npy", "M1.npy")

    _convert(
        tmp_path / "set",
        tmp_path / "out",
        image_dir_pattern=("L",),
        depth_dir_pattern=("D",),
        nocc_dir_pattern=("M",),
        image_extension="png",
        depth_extension="npy",
        nocc_extension="npy",
        split_ratio=0.0,
    )

    (row,) = read_annotations(tmp_path / "out/test.txt")
    assert (row.depth, row.mask) == (tmp_path / "set/a/D1.npy", tmp_path / "set/a/M1.npy")


_PRESETS = {
    "kitti": [
        f"raw/2011_09_26/2011_09_26_drive_000{drive}_sync/image_02/data/000000000{frame}.png|"
        f"{split}/2011_09_26_drive_000{drive}_sync/proj_depth/groundtruth/image_02/000000000{frame}.png"
        for drive, split in ((1, "train"), (2, "train"), (3, "val"))
        for frame in range(3)
    ],
    "vkitti2": [
        f"rgb/Scene0{scene}/{weather}/frames/rgb/Camera_0/rgb_0000{frame}.jpg|"
        f"depth/Scene0{scene}/{weather}/frames/depth/Camera_0/depth_0000{frame}.png"
        for scene in (1, 2, 6)
        for weather in ("clone", "fog", "rain")
        for frame in range(2)
    ],
    "hypersim": [
        f"ai_00{scene}_001/images/scene_cam_00_final_preview/frame.000{frame}.tonemap.jpg|"
        f"ai_00{scene}_001/images/scene_cam_00_geometry_hdf5/frame.000{frame}.depth_meters.hdf5"
        for scene in (1, 2, 3)
        for frame in range(2)
    ],
    "diode": [
        f"train/indoors/scene_0000{scene}/scan_00000/x_{frame}.png|"
        f"train/indoors/scene_0000{scene}/scan_00000/x_{frame}_depth.npy"
        for scene in (1, 2, 3)
        for frame in range(2)
    ],
    "nyu": [
        f"kitchen_{scene}/rgb_0000{frame}.jpg|kitchen_{scene}/sync_depth_0000{frame}.png"
        for scene in (1, 2, 3)
        for frame in range(2)
    ],
}


@pytest.mark.parametrize("name", _PRESETS)
def test_a_published_data_set_is_found_by_its_names(tmp_path: Path, name: str) -> None:
    pairs = [tuple(pair.split("|")) for pair in _PRESETS[name]]
    for path in (path for pair in pairs for path in pair):
        _touch((tmp_path / "set" / path).parent, Path(path).name)
    config = preset_config([str(tmp_path / "set"), f"results_dir={tmp_path / 'out'}", "split_ratio=0.67"])

    report, spec = convert_preset(name, config)

    rows = [row for file, _ in report.files for row in read_annotations(file)]
    found = {(row.image, row.depth) for row in rows}
    assert found == {(tmp_path / "set" / image, tmp_path / "set" / depth) for image, depth in pairs}
    assert [(file.name, lines) for file, lines in report.files] == [
        ("train.txt", len(pairs) * 2 // 3),
        ("val.txt", len(pairs) // 3),
    ]
    dataset = yaml.safe_load(spec.read_text(encoding="utf-8"))["dataset"]
    (source,) = dataset["train_dataset"]["data_sources"]
    assert source["data_file"] == str(tmp_path / "out/train.txt")
    assert recognise([row.depth for row in rows if row.depth], ModelType.METRIC) == source["dataset_name"]


def test_the_splits_of_kitti_keep_their_names(tmp_path: Path) -> None:
    for path in (path for pair in _PRESETS["kitti"] for path in pair.split("|")):
        _touch((tmp_path / "set" / path).parent, Path(path).name)

    convert_preset("kitti", preset_config([str(tmp_path / "set"), f"results_dir={tmp_path / 'out'}"]))

    assert {row.depth.parts[-6] for row in read_annotations(tmp_path / "out/val.txt") if row.depth} == {"val"}


def test_an_unknown_preset_and_a_folder_of_other_files_are_refused(tmp_path: Path) -> None:
    _touch(tmp_path / "set", "a.png")
    config = preset_config([str(tmp_path / "set"), f"results_dir={tmp_path / 'out'}"])

    with pytest.raises(SpecError, match="expected one of kitti, vkitti2, hypersim, diode, nyu"):
        convert_preset("waymo", config)
    with pytest.raises(DataError, match="found 0 images and 0 depth files with the names of KITTI"):
        convert_preset("kitti", config)
    with pytest.raises(SpecError, match="data_root"):
        preset_config([])
