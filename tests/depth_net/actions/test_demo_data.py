"""The demo data, whole and small."""

from __future__ import annotations

import json
import resource
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from depth_net.actions.demo_data import DemoSettings, is_finished, write_demo_data
from depth_net.data.annotations import read_annotations
from depth_net.data.readers import read_image, read_picture_values
from depth_net.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

_SMALL = DemoSettings(train_images=5, val_images=2, test_images=2, height=24, width=32)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo") / "data"
    write_demo_data(directory, settings=_SMALL)
    return directory


def test_rooms_have_the_raw_layout_of_nyu_and_five_annotation_files(small_set: Path) -> None:
    counts = {file.relative_to(small_set).as_posix(): len(read_annotations(file)) for file in small_set.glob("*/*.txt")}

    assert counts == {
        "rooms/train.txt": 5,
        "rooms/val.txt": 2,
        "rooms/test.txt": 2,
        "motorcycle/train.txt": 100,
        "motorcycle/val.txt": 20,
    }
    assert (small_set / "rooms/train/room_0002/rgb_00000.jpg").is_file()
    assert (small_set / "rooms/train/room_0002/sync_depth_00000.png").is_file()
    assert not (small_set / "rooms/train/room_0002/rgb_00001.jpg").exists()


def test_pictures_and_depth_have_the_asked_size_and_unit(small_set: Path) -> None:
    for row in read_annotations(small_set / "rooms/train.txt"):
        assert row.depth is not None
        depth_m = read_picture_values(row.depth) / 1000

        assert read_image(row.image).shape == (24, 32, 3)
        assert depth_m.shape == (24, 32)
        assert 0.3 < depth_m.min() < depth_m.max() < 10


def test_splits_show_different_rooms(small_set: Path) -> None:
    first = {}
    for split in ("train", "val", "test"):
        depth = small_set / f"rooms/{split}/room_0000/sync_depth_00000.png"
        first[split] = read_picture_values(depth) / 1000

    assert not np.array_equal(first["train"], first["val"])
    assert not np.array_equal(first["val"], first["test"])


def test_a_finished_set_is_kept(small_set: Path) -> None:
    lines: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in small_set.rglob("*.jpg")}

    write_demo_data(small_set, settings=_SMALL, report=lines.append)

    assert lines == [f"demo data  kept  {small_set}"]
    assert {path: path.stat().st_mtime_ns for path in small_set.rglob("*.jpg")} == before


def test_a_half_set_is_replaced_by_the_same_files(tmp_path: Path) -> None:
    write_demo_data(tmp_path / "data", settings=_SMALL)
    victim = tmp_path / "data/rooms/val/room_0000/sync_depth_00001.png"
    content = victim.read_bytes()
    victim.unlink()
    (tmp_path / "data/notes.txt").write_text("mine", encoding="utf-8")
    assert not is_finished(tmp_path / "data", _SMALL)

    write_demo_data(tmp_path / "data", settings=_SMALL)

    assert victim.read_bytes() == content
    assert (tmp_path / "data/notes.txt").read_text(encoding="utf-8") == "mine"
    assert not list((tmp_path / "data").glob(".demo_data-*"))


def test_an_interrupted_move_is_no_finished_set(small_set: Path, tmp_path: Path) -> None:
    marker = json.loads((small_set / "demo_data.json").read_text(encoding="utf-8"))
    (tmp_path / "demo_data.json").write_text(json.dumps(marker | {"finished": False}), encoding="utf-8")

    assert is_finished(small_set, _SMALL)
    assert not is_finished(tmp_path, _SMALL)
    assert not is_finished(small_set, DemoSettings())


@pytest.mark.parametrize("name", ["rooms/train/mine.jpg", "rooms/train/room_0000/notes.txt", "motorcycle"])
def test_a_set_is_not_replaced_that_holds_a_file_or_link_of_somebody_else(
    small_set: Path, tmp_path: Path, name: str
) -> None:
    copy, other = tmp_path / "copy", tmp_path / "other"
    shutil.copytree(small_set, copy)
    if (copy / name).is_dir():
        (copy / name).rename(other)
        (copy / name).symlink_to(other)
    else:
        (copy / name).write_text("placed by a person", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(DataError, match=rf"{name}, which demo-data did not write"):
        write_demo_data(copy, settings=replace(_SMALL, seed=9))

    assert sorted(tmp_path.rglob("*")) == before


def test_folders_of_somebody_else_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms/holiday.jpg").touch()

    with pytest.raises(DataError, match=r"rooms without demo_data\.json, which demo-data did not write"):
        write_demo_data(tmp_path, settings=_SMALL)

    assert (tmp_path / "rooms/holiday.jpg").exists()


@pytest.mark.slow
def test_the_whole_set_costs_less_than_half_a_minute_of_one_core(tmp_path: Path) -> None:
    before = _cpu_seconds()

    write_demo_data(tmp_path / "data")

    assert _cpu_seconds() - before < 30
    assert len(read_annotations(tmp_path / "data/rooms/train.txt")) == 100
