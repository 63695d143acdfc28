"""Checkpoints: the best epoch leads to its exact file, whatever the trainer calls it."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.architectures.model import CheckpointNaming
from automl.program.skill import name_pattern
from automl.storage.trainer_files import refusals, sha256_of
from automl.trial.checkpoints import best_file, checkpoint_of_epoch, is_whole, list_checkpoints, refuse_unusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def naming_of(network_arch: str) -> CheckpointNaming:
    return load_architecture(network_arch).checkpoints


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data", name * 50)


@pytest.mark.parametrize(
    ("network_arch", "epoch", "expected", "others"),
    [
        ("depth_net_mono", 0, "train/model_epoch_000_step_00003.pth", ["train/model_epoch_001_step_00006.pth"]),
        ("depth_net_mono", 12, "train/model_epoch_012_step_00039.pth", ["train/model_epoch_112_step_00339.pth"]),
        ("toy", 1, "model_epoch_001_step_00020.pth", ["model_epoch_000_step_00010.pth"]),
        ("bevfusion", 2, "epoch_3.pth", ["epoch_2.pth", "latest.pth"]),
        ("pointpillars", 9, "train/checkpoint_epoch_10.pth", ["train/checkpoint_epoch_1.pth"]),
        ("cosmos-embed", 500, "checkpoints/iter_000000500.pt", ["checkpoints/iter_000005000.pt"]),
        ("nv_tesseract_forecasting", 7, "best_model.pt", ["other.pt"]),
        ("nv-tesseract-ad-diffusion", 7, "best_finetuned_model.pth", ["final_finetuned_model.pth"]),
    ],
)
def test_an_epoch_leads_to_its_exact_file(
    tmp_path: Path, network_arch: str, epoch: int, expected: str, others: list[str]
) -> None:
    write(tmp_path, expected, *others)

    assert checkpoint_of_epoch(tmp_path, naming_of(network_arch), epoch) == tmp_path / expected


def test_a_checkpoint_can_be_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "safetensors/epoch_2/model.safetensors", "safetensors/epoch_1/model.safetensors")

    assert checkpoint_of_epoch(tmp_path, naming_of("cosmos-reason"), 1) == tmp_path / "safetensors/epoch_2"


def test_a_latest_link_or_copy_is_never_the_checkpoint_of_an_epoch(tmp_path: Path) -> None:
    write(tmp_path, "model_epoch_000_step_00003.pth", "model_epoch_001_latest.pth")
    (tmp_path / "dn_model_latest.pth").symlink_to("model_epoch_000_step_00003.pth")
    (tmp_path / "model_epoch_002_step_00009.pth").symlink_to("model_epoch_000_step_00003.pth")

    assert [c.path.name for c in list_checkpoints(tmp_path, naming_of("depth_net_mono"))] == [
        "model_epoch_000_step_00003.pth"
    ]
    assert checkpoint_of_epoch(tmp_path, naming_of("depth_net_mono"), 2) is None


def test_the_last_step_of_an_epoch_is_its_end(tmp_path: Path) -> None:
    write(tmp_path, "model_epoch_000_step_00003.pth", "model_epoch_000_step_00010.pth")

    assert checkpoint_of_epoch(tmp_path, naming_of("depth_net_mono"), 0) == tmp_path / "model_epoch_000_step_00010.pth"


def test_a_torn_checkpoint_is_not_listed(tmp_path: Path) -> None:
    write(tmp_path, "model_epoch_000_step_00003.pth")
    whole = (tmp_path / "model_epoch_000_step_00003.pth").read_bytes()
    (tmp_path / "model_epoch_001_step_00006.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "model_epoch_002_step_00009.pth").touch()

    assert [c.epoch for c in list_checkpoints(tmp_path, naming_of("depth_net_mono"))] == [0]


def test_a_torn_safetensors_file_is_not_whole(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes((100).to_bytes(8, "little") + b"{}" * 60)
    assert is_whole(file)

    file.write_bytes((100).to_bytes(8, "little") + b"{}" * 20)
    assert not is_whole(file)


def test_the_best_file_of_a_trainer_is_found_by_its_table(tmp_path: Path) -> None:
    write(tmp_path, "train/model_best.pth", "train/model_epoch_001_step_00006.pth")

    assert best_file(tmp_path, naming_of("ocdnet")) == tmp_path / "train/model_best.pth"
    assert best_file(tmp_path, naming_of("pointpillars")) is None


def test_a_best_file_stands_for_an_epoch_only_where_no_epoch_has_its_own(tmp_path: Path) -> None:
    write(tmp_path, "best_model.pth")
    assert checkpoint_of_epoch(tmp_path, naming_of("unknown"), 3) == tmp_path / "best_model.pth"

    write(tmp_path, "model_epoch_001_step_00006.pth")
    assert checkpoint_of_epoch(tmp_path, naming_of("unknown"), 3) is None


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "a.pth")

    assert sha256_of(tmp_path / "a.pth") == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()
    assert sha256_of(tmp_path / "missing.pth") is None


def test_the_hash_of_a_folder_changes_with_a_name_and_with_a_content(tmp_path: Path) -> None:
    write(tmp_path, "a/x.pth")
    write(tmp_path, "b/y.pth")
    (tmp_path / "b/y.pth").write_bytes((tmp_path / "a/x.pth").read_bytes())
    first, renamed = sha256_of(tmp_path / "a"), sha256_of(tmp_path / "b")
    (tmp_path / "b/y.pth").rename(tmp_path / "b/x.pth")

    assert first != renamed
    assert sha256_of(tmp_path / "b") == first


def test_of_epochs_that_are_names_of_one_file_the_last_one_has_it(tmp_path: Path) -> None:
    naming = naming_of("depth_net_mono")
    for epoch in range(3):
        (tmp_path / "last.pth").write_text(f"weights {epoch}", encoding="utf-8")  # in place
        (tmp_path / f"model_epoch_{epoch:03d}_step_{epoch:05d}.pth").hardlink_to(tmp_path / "last.pth")

    assert [checkpoint.epoch for checkpoint in list_checkpoints(tmp_path, naming)] == [2]
    assert checkpoint_of_epoch(tmp_path, naming, 1) is None


OUT = " outside the folder of its trial"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda at, out: at.symlink_to(out / "epoch=1.pt"), f"epoch=1.pt was not read: it is a link to a file{OUT}"),
        (lambda at, _: at.symlink_to("other.pt"), "epoch=1.pt was not read: it is a link"),
        (lambda at, _: at.mkdir(), "epoch=1.pt was not read: it is a folder, not a file"),
        (lambda at, _: at.touch(), "epoch=1.pt was not read: it was not written to its end"),
        (lambda at, _: os.mkfifo(at), "epoch=1.pt was not read: it is a named pipe"),
        (
            lambda at, out: (at.parent.rmdir(), at.parent.symlink_to(out)),
            f"epoch=1.pt was not read: it lies behind the link ckpt to a folder{OUT}",
        ),
    ],
    ids=["link out", "link", "folder", "empty", "pipe", "behind a link"],
)
def test_what_has_the_name_of_the_missing_checkpoint_is_named_once(
    tmp_path: Path, place: Callable[[Path, Path], object], said: str
) -> None:
    folder, out = tmp_path / "0007", tmp_path / "out"
    write(out, "epoch=1.pt", "epoch=0.pt")
    (folder / "ckpt").mkdir(parents=True)
    place(folder / "ckpt/epoch=1.pt", out)
    naming = CheckpointNaming(epoch_names=(name_pattern("ckpt/epoch={epoch}.pt"),))

    refuse_unusable(folder, naming, epoch=1)

    (text,) = refusals(folder)
    assert text.endswith(said)


def test_a_checkpoint_folder_with_a_pipe_names_the_pipe(tmp_path: Path) -> None:
    write(tmp_path, "epoch_1/weights.pt")
    os.mkfifo(tmp_path / "epoch_1/pipe")

    refuse_unusable(tmp_path, CheckpointNaming(epoch_names=(name_pattern("epoch_{epoch}"),), is_folder=True), epoch=1)

    assert refusals(tmp_path) == ["epoch_1/pipe was not read: it is a named pipe"]


def test_a_reported_checkpoint_behind_a_link_out_is_refused(tmp_path: Path) -> None:
    folder, out = tmp_path / "0007", tmp_path / "out"
    write(out, "model.pt")
    folder.mkdir()
    (folder / "ckpt").symlink_to(out)
    status = (out / "model.pt").stat()
    line = {"path": "ckpt/model.pt", "epoch": 0, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    (folder / "checkpoints.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")

    assert list_checkpoints(folder, CheckpointNaming()) == ()
    assert refusals(folder) == [f"0007/ckpt/model.pt was not read: it lies behind a link to a folder{OUT}"]
