"""Annotation files from a folder tree."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from depth_net.actions.convert import ConvertReport, convert
from depth_net.config.actions import ConvertConfig
from depth_net.data.annotations import read_annotations
from depth_net.errors import DataError, SpecError

if TYPE_CHECKING:
    from pathlib import Path


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

    assert report.files == ((tmp_path / "out/train.txt", 9), (tmp_path / "out/val.txt", 3))
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
        _convert(root, tmp_path / name, seed=seed)
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
    assert len(read_annotations(tmp_path / "out/val.txt")) == 3


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
    with pytest.raises(DataError, match=r"found 0\.01 of 12 images, which leaves a split empty"):
        _convert(_tree(tmp_path / "nyu"), tmp_path / "out", split_ratio=0.01)


def test_relative_paths_survive_a_move_of_the_whole_set(tmp_path: Path) -> None:
    _convert(_tree(tmp_path / "here/nyu"), tmp_path / "here", split_ratio=0.0, relative_paths=True)

    (tmp_path / "here").rename(tmp_path / "there")

    assert len(read_annotations(tmp_path / "there/test.txt")) == 12


def test_a_key_that_is_never_read_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _convert(_tree(tmp_path / "nyu"), tmp_path / "out", nocc_mask_dir_name="masks")

    assert "nocc_mask_dir_name: set without effect" in caplog.text
