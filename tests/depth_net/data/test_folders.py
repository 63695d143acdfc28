"""Folders that people bring: the pairs that are found, the parts of a split, and what is said where nothing fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from depth_net.config.choices import FolderPart, SplitBy
from depth_net.config.dataset import DataSource
from depth_net.data.folders import find_pairs, images_without_depth, read_folder, read_images
from depth_net.data.rows import read_rows
from depth_net.errors import DataError
from tests.depth_net.data.builders import write_depth_mm, write_nyu, write_picture

if TYPE_CHECKING:
    from pathlib import Path


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


LAYOUTS = {
    "KITTI": ("a_sync/image_02/data/0000000001.png", "a_sync/proj_depth/groundtruth/image_02/0000000001.png"),
    "KITTI, split": (
        "train/a_sync/image_02/data/0000000001.png",
        "train/a_sync/proj_depth/groundtruth/image_02/0000000001.png",
    ),
    "VKITTI2": (
        "Scene01/clone/frames/rgb/Camera_0/rgb_00001.jpg",
        "Scene01/clone/frames/depth/Camera_0/depth_00001.png",
    ),
    "Hypersim": (
        "ai_001_001/images/scene_cam_00_final_preview/frame.0001.tonemap.jpg",
        "ai_001_001/images/scene_cam_00_geometry_hdf5/frame.0001.depth_meters.hdf5",
    ),
    "DIODE": ("scene_1/scan_2/a.png", "scene_1/scan_2/a_depth.npy"),
    "NYU": ("kitchen/rgb_00001.jpg", "kitchen/sync_depth_00001.png"),
    "folders": ("rgb/0001.jpg", "depth/0001.png"),
    "folders in scenes": ("kitchen/images/0001.jpg", "kitchen/depth_maps/0001.npy"),
    "scenes in folders": ("images/kitchen/0001.jpg", "ground_truth/depth/kitchen/0001.png"),
    "names": ("0001.jpg", "0001_depth.png"),
    "words in both": ("kitchen/rgb_0001.png", "kitchen/depth_0001.png"),
    "capitals": ("RGB/Frame0001.JPG", "Depth/Frame0001.PNG"),
    "by kind of file": ("0001.jpg", "0001.npy"),
    "a room named like depth": ("depth_street/rgb/1.jpg", "depth_street/depth/1.png"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_image_and_its_depth_are_found_by_their_names(tmp_path: Path, name: str) -> None:
    image, depth = LAYOUTS[name]
    touch(tmp_path, image, depth, ".cache/rgb/0001.jpg", ".cache/depth/0001.png", "readme.md")

    pairs = find_pairs(tmp_path)

    assert [(pair.image, pair.depth) for pair in pairs] == [(tmp_path / image, tmp_path / depth)]


def test_masks_right_images_and_images_without_depth_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/1.jpg", "depth/1.png", "mask/1.png", "right/1.jpg", "rgb/2.jpg")

    assert len(find_pairs(tmp_path)) == 1
    assert images_without_depth(tmp_path) == [tmp_path / "rgb/2.jpg"]


def test_two_files_with_one_name_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/1.jpg", "rgb/1.png", "depth/1.png")

    with pytest.raises(DataError, match=r"rgb/1\.jpg and rgb/1\.png are both the image of one name"):
        find_pairs(tmp_path)


def test_what_is_seen_is_said_where_nothing_fits(tmp_path: Path) -> None:
    touch(tmp_path, "a/x1.jpg", "a/x2.jpg", "b/y1.png")

    with pytest.raises(DataError) as caught:
        read_folder(tmp_path, None, None)

    text = str(caught.value)
    assert "found no image with its depth among 3 files (2 .jpg, 1 .png; such as" in text
    assert "KITTI, VKITTI2, Hypersim, DIODE, NYUDV2, ETH3D" in text
    assert "rgb/0001.jpg, depth/0001.png" in text
    with pytest.raises(DataError, match="the folder is empty"):
        read_folder(tmp_path / "a" / "none", None, None)


def test_scenes_are_divided_and_each_image_lies_in_one_part(tmp_path: Path) -> None:
    for scene in range(5):
        touch(tmp_path, *(f"room_{scene}/{kind}/{n}.png" for n in range(4) for kind in ("rgb", "depth")))

    parts = {part: read_folder(tmp_path, part, None) for part in (FolderPart.TRAIN, FolderPart.VAL)}

    scenes = {part: {row.image.parts[-3] for row in rows} for part, rows in parts.items()}
    assert (len(parts[FolderPart.TRAIN]), len(parts[FolderPart.VAL])) == (16, 4)
    assert not scenes[FolderPart.TRAIN] & scenes[FolderPart.VAL]
    assert parts[FolderPart.VAL] == read_folder(tmp_path, FolderPart.VAL, SplitBy.SCENE)


def test_folders_that_are_splits_are_kept(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{s}/{k}/{n}.png" for s in ("train", "valid") for k in ("rgb", "depth") for n in range(2)))

    assert {row.image.parts[-3] for row in read_folder(tmp_path, FolderPart.TRAIN, None)} == {"train"}
    assert {row.image.parts[-3] for row in read_folder(tmp_path, FolderPart.VAL, None)} == {"valid"}
    with pytest.raises(DataError, match="found folders for train, val, and none for test"):
        read_folder(tmp_path, FolderPart.TEST, None)


def test_one_scene_is_divided_by_frame_only_where_that_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{kind}/{n}.png" for n in range(10) for kind in ("rgb", "depth")))

    with pytest.raises(DataError, match=r"one scene with 10 images.*split_by=frame"):
        read_folder(tmp_path, FolderPart.VAL, None)
    assert len(read_folder(tmp_path, FolderPart.VAL, SplitBy.FRAME)) == 2
    assert len(read_folder(tmp_path, FolderPart.TRAIN, SplitBy.FRAME)) == 8


def test_all_images_of_a_folder_are_inferred_and_depth_is_not(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/1.jpg", "depth/1.png", "rgb/2.jpg", "holiday/depth_of_field.png", ".hidden.jpg")

    names = [row.image.name for row in read_images(tmp_path)]

    assert names == ["depth_of_field.png", "1.jpg", "2.jpg"]


def test_pictures_of_other_kinds_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "1.jpg", "2.HEIC", "3.webp")

    assert len(read_images(tmp_path)) == 1
    assert "2 pictures such as" in caplog.text
    with pytest.raises(DataError, match="neither PNG nor JPEG"):
        read_rows(DataSource(data_file=str(tmp_path / "2.HEIC")), needs_depth=False)


def test_an_image_and_a_pattern_are_read_for_inference(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/2.png", "b/3.jpg", "a/notes.txt", "a/[x].jpg")

    def names(text: str) -> list[str]:
        return [row.image.name for row in read_rows(DataSource(data_file=str(tmp_path / text)), needs_depth=False)]

    assert names("a/1.jpg") == ["1.jpg"]
    assert names("a/[x].jpg") == ["[x].jpg"]
    assert names("*/*.jpg") == ["1.jpg", "[x].jpg", "3.jpg"]
    assert names("**/*") == ["1.jpg", "2.png", "[x].jpg", "3.jpg"]
    with pytest.raises(DataError, match=r"1 files of other kinds match, such as .*notes\.txt"):
        names("a/*.txt")
    with pytest.raises(DataError, match="only inference reads videos"):
        read_rows(DataSource(data_file=str(tmp_path / "a.mp4")), needs_depth=True)


def test_the_validation_part_of_a_folder_is_inferred_with_its_depth(tmp_path: Path) -> None:
    touch(tmp_path, *(f"room_{scene}/{kind}/1.png" for scene in range(5) for kind in ("rgb", "depth")))
    source = DataSource(data_file=str(tmp_path), part=FolderPart.VAL)

    assert read_rows(source, needs_depth=False) == read_rows(source, needs_depth=True)


def test_a_folder_with_one_list_and_no_pairs_is_read_by_its_list(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.png")
    np.save(tmp_path / "y.npy", np.ones((48, 64), dtype=np.float32))
    (tmp_path / "list.txt").write_text("x.png y.npy\n", encoding="utf-8")

    assert read_rows(DataSource(data_file=str(tmp_path)), needs_depth=True)[0].image == tmp_path / "x.png"


def test_notes_beside_photographs_are_no_list_of_them(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.png")
    (tmp_path / "notes.txt").write_text("taken on a rainy day\n", encoding="utf-8")

    assert [row.image.name for row in read_rows(DataSource(data_file=str(tmp_path)), needs_depth=False)] == ["x.png"]
    (tmp_path / "sub").mkdir()
    write_picture(tmp_path / "sub/y.png")
    (tmp_path / "notes.txt").write_text("# these alone\nsub/y.png\n", encoding="utf-8")
    assert [row.image.name for row in read_rows(DataSource(data_file=str(tmp_path)), needs_depth=False)] == ["y.png"]


def test_a_part_of_a_list_is_refused(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, 2)

    with pytest.raises(DataError, match="part: found val beside the list"):
        read_rows(DataSource(data_file=str(file), part=FolderPart.VAL), needs_depth=True)


def test_a_folder_of_images_and_depth_is_read_as_rows(tmp_path: Path) -> None:
    write_picture(tmp_path / "rgb/1.png")
    write_depth_mm(tmp_path / "depth/1.png")

    rows = read_rows(DataSource(data_file=str(tmp_path)), needs_depth=True)

    assert [(row.image.name, row.depth and row.depth.parent.name, row.line) for row in rows] == [("1.png", "depth", 1)]
