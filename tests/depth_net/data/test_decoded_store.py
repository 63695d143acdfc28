"""Decoded samples on disk: the same to the bit, whatever happens to the files."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from depth_net.config.dataset import AugmentationConfig, DataSource, SplitName
from depth_net.data import dataset as dataset_module
from depth_net.data import decoded_store, file_stamps, readers
from depth_net.data.dataset import DepthDataset, Sample, build_dataset
from depth_net.model.family import ModelType
from tests.depth_net.data.builders import MEAN, STD, write_mixed, write_nyu, write_picture

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone, for sets of any size and files of any age."""
    monkeypatch.setenv("DEPTH_NET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(dataset_module, "TINY_SET", 0)
    monkeypatch.setattr(file_stamps, "_SETTLED_S", -1.0)
    return tmp_path / "cache" / "decoded"


def build(file: Path, split: SplitName = "train", *, name: str = "NYUDV2", **changes: Any) -> DepthDataset:  # noqa: ANN401 - keywords of the function under test
    keywords: dict[str, Any] = {
        "model_type": ModelType.RELATIVE if "Relative" in name else ModelType.METRIC,
        "crop_size": (28, 28),
        "input_mean": MEAN,
        "input_std": STD,
        "min_depth_m": None,
        "max_depth_m": None,
        "disk_bytes": None,
        "seed": 7,
    }
    return build_dataset([DataSource(dataset_name=name, data_file=str(file))], split=split, **(keywords | changes))


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note every image that is decoded from now on."""
    seen: list[Path] = []
    original = readers.read_image

    def read(path: Path) -> Any:  # noqa: ANN401 - passes on what it gets
        seen.append(path)
        return original(path)

    monkeypatch.setattr(dataset_module, "read_image", read)
    return seen


def rows(dataset: DepthDataset, epoch: int = 1) -> list[Sample]:
    return [dataset[epoch, index] for index in range(len(dataset))]


def assert_equal(found: list[Sample], expected: list[Sample]) -> None:
    for one, other in zip(found, expected, strict=True):
        for key in ("image", "target", "valid"):
            assert one[key].dtype == other[key].dtype
            assert torch.equal(one[key], other[key])
        assert {**one, "image": 0, "target": 0, "valid": 0} == {**other, "image": 0, "target": 0, "valid": 0}


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", ["NYUDV2", "NYUDV2Relative"])
@pytest.mark.parametrize("changes", [{}, {"augmentation": AugmentationConfig(enabled=True, color_aug_prob=0.5)}])
def test_a_second_run_reads_the_same_samples_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: SplitName, name: str, changes: dict[str, Any]
) -> None:
    file = write_mixed(tmp_path / "data", 6)
    expected = rows(build(file, split, name=name, disk_bytes=0, **changes))
    first = rows(build(file, split, name=name, **changes))

    second = build(file, split, name=name, **changes)
    decoded = count_decoded(monkeypatch)
    found = rows(second)

    assert_equal(first, expected)
    assert_equal(found, expected)
    assert len(decoded) == 1  # for the size of the set


def test_two_epochs_differ_in_what_is_random_as_without_the_store(tmp_path: Path) -> None:
    file = write_nyu(tmp_path / "data")
    for _ in range(2):
        kept, plain = build(file), build(file, disk_bytes=0)

        for epoch in range(3):
            assert_equal(rows(kept, epoch), rows(plain, epoch))


def test_a_changed_file_is_decoded_anew(tmp_path: Path) -> None:
    file = write_nyu(tmp_path / "data")
    before = rows(build(file))
    picture = tmp_path / "data/rgb_1.png"
    old = picture.stat()
    write_picture(picture, seed=99)
    os.utime(picture, ns=(old.st_atime_ns, old.st_mtime_ns))  # as a copy that keeps times

    found = rows(build(file))

    assert_equal(found, rows(build(file, disk_bytes=0)))
    assert not torch.equal(found[1]["image"], before[1]["image"])


def test_a_file_that_has_just_changed_is_not_kept(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_stamps, "_SETTLED_S", 60.0)

    rows(build(write_nyu(tmp_path / "data")))

    assert not list(cache.rglob("0000*/*"))


def test_other_settings_have_samples_of_their_own(tmp_path: Path, cache: Path) -> None:
    file = write_nyu(tmp_path / "data")
    variants: list[dict[str, Any]] = [
        {},
        {"crop_size": (42, 42)},
        {"max_depth_m": 2.0},
        {"normalize_depth": True},
        {"augmentation": AugmentationConfig(enabled=True)},
        {"split": "val"},
        {"split": "val", "native_size": True},
        {"split": "val", "whole_truth": True},
    ]
    for changes in variants:
        assert_equal(rows(build(file, **changes)), rows(build(file, **changes, disk_bytes=0)))

    assert len(list(cache.iterdir())) == len(variants)


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_hole(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1000:2000] = bytes(1000)
    path.write_bytes(content)


def damage_swap(path: Path) -> None:
    other = path.with_name("00000002")
    path.write_bytes(other.read_bytes())


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[48:52] = (10**6).to_bytes(4, "little")
    path.write_bytes(content)


def damage_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [damage_cut, damage_hole, damage_swap, damage_empty, damage_header, damage_folder])
def test_a_damaged_file_never_becomes_a_sample(tmp_path: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    file = write_nyu(tmp_path / "data")
    expected = rows(build(file))
    (place,) = cache.rglob("00000001")
    damage(place)

    assert_equal(rows(build(file)), expected)


def _train_on(file: Path, cache: Path, results: Any) -> None:  # noqa: ANN401 - a queue
    os.environ["DEPTH_NET_CACHE"] = str(cache)
    dataset_module.TINY_SET = 0
    file_stamps._SETTLED_S = -1.0  # type: ignore[misc]  # noqa: SLF001 - as the fixture does
    samples = [sample for _ in range(5) for sample in rows(build(file))]
    results.put([float(sample["image"].float().sum() + sample["target"].sum()) for sample in samples])


def test_writers_side_by_side_read_what_one_alone_reads(tmp_path: Path) -> None:
    file = write_nyu(tmp_path / "data")
    expected = [float(one["image"].float().sum() + one["target"].sum()) for one in rows(build(file, disk_bytes=0))] * 5
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_train_on, args=(file, tmp_path / "other", results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    assert found == [expected] * 3


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, cache: Path) -> None:
    file = write_nyu(tmp_path / "data")
    rows(build(file))
    (folder,) = cache.iterdir()
    old, fresh = folder / "1.part", folder / "2.part"
    for part in (old, fresh):
        part.write_bytes(b"half a row")
    os.utime(old, (time.time() - 7200, time.time() - 7200))

    rows(build(file))

    assert not old.exists()
    assert fresh.exists()


def test_a_set_that_nobody_opened_for_long_is_removed(tmp_path: Path, cache: Path) -> None:
    rows(build(write_nyu(tmp_path / "data")))
    (unused,) = cache.iterdir()
    foreign = cache / "pictures"
    foreign.mkdir()
    for folder in (unused, foreign):
        os.utime(folder, (time.time() - 30 * 86400, time.time() - 30 * 86400))

    rows(build(write_nyu(tmp_path / "other")))

    assert not unused.exists()
    assert foreign.exists()


def test_a_full_disk_stops_keeping_and_nothing_else(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_nyu(tmp_path / "data")

    def full(self: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    caplog.set_level("INFO")

    assert_equal(rows(build(file)), rows(build(file, disk_bytes=0)))
    assert [record.message for record in caplog.records if "no more" in record.message] != []
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_little_free_space_is_left_to_checkpoints(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 30))

    rows(build(write_nyu(tmp_path / "data")))

    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("disk_bytes", [0, 1000])
def test_a_set_larger_than_its_limit_is_not_kept(tmp_path: Path, cache: Path, disk_bytes: int) -> None:
    rows(build(write_nyu(tmp_path / "data"), disk_bytes=disk_bytes))

    assert not cache.exists() or not list(cache.iterdir())


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("DEPTH_NET_CACHE", str(tmp_path / "file"))
    file = write_nyu(tmp_path / "data")

    assert_equal(rows(build(file)), rows(build(file, disk_bytes=0)))


def test_pictures_of_16_bits_which_depend_on_others_are_not_kept(tmp_path: Path, cache: Path) -> None:
    file = write_nyu(tmp_path / "data")
    cv2.imwrite(str(tmp_path / "data/rgb_1.png"), np.full((48, 64, 3), 900, np.uint16))

    rows(build(file))

    assert sorted(path.name for path in cache.rglob("0000*/*")) == ["00000000", "00000002", "00000003"]


def test_the_mask_beside_a_depth_map_counts_too(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_picture(folder / "a.png")
    np.save(folder / "a_depth.npy", np.full((48, 64), 2.0, np.float32))
    np.save(folder / "a_depth_mask.npy", np.ones((48, 64), np.float32))
    file = folder / "list.txt"
    file.write_text("a.png a_depth.npy\n", encoding="utf-8")
    assert build(file, name="DIODE")[0]["valid"].all()

    np.save(folder / "a_depth_mask.npy", np.zeros((48, 64), np.float32))

    assert not build(file, name="DIODE")[0]["valid"].any()


def test_where_writing_takes_longer_than_decoding_it_ends(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = decoded_store._write  # noqa: SLF001 - made slow
    monkeypatch.setattr(decoded_store, "_FIRST_WRITES", 2)

    def write(*args: Any) -> None:  # noqa: ANN401 - passes on what it gets
        time.sleep(0.1)
        original(*args)

    monkeypatch.setattr(decoded_store, "_write", write)

    rows(build(write_nyu(tmp_path / "data", 6)))

    assert len(list(cache.rglob("0000*/*"))) == 2
