"""Kinds of checkpoints by their first bytes, and what lies in their place."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from automl.preflight.findings import Level
from automl.preflight.weights import check_weights, named_weights

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def torch_file(file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 2000)
    return file


def safetensors_file(file: Path, *, missing_bytes: int = 0) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16 - missing_bytes))
    return file


def test_torch_and_safetensors_have_different_names(tmp_path: Path) -> None:
    torch, safe = torch_file(tmp_path / "a.pth"), safetensors_file(tmp_path / "a.safetensors")
    legacy = tmp_path / "old.pth"
    legacy.write_bytes(b"\x80\x02}q\x00.")

    rows = [check_weights("train.pretrained_model_path", str(file)) for file in (torch, safe, legacy)]

    assert [row.level for row in rows] == [Level.OK] * 3
    assert [row.found.split(",")[0] for row in rows] == ["torch", "safetensors", "torch (legacy pickle)"]


@pytest.mark.parametrize(
    ("name", "content", "said", "fix"),
    [
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer", "git lfs pull"),
        ("a.pth", b"<!DOCTYPE html><title>Sign in</title>", "a web page", "login"),
        ("a.pth", b"", "an empty file", "again"),
        ("a.pth", b"PK\x03\x04" + b"x" * 900, "cut short", "again"),
    ],
)
def test_what_is_no_checkpoint_fails_with_its_fix(
    tmp_path: Path, name: str, content: bytes, said: str, fix: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    row = check_weights("train.pretrained_model_path", str(file))

    assert row.level is Level.FAIL
    assert said in row.found
    assert fix in row.fix


def test_a_torn_safetensors_file_fails(tmp_path: Path) -> None:
    assert "cut short" in check_weights("x", str(safetensors_file(tmp_path / "a.safetensors", missing_bytes=1))).found


def test_a_file_under_the_wrong_suffix_fails(tmp_path: Path) -> None:
    row = check_weights("x", str(torch_file(tmp_path / "a.safetensors")))

    assert (row.level, "torch in a file called .safetensors" in row.found) == (Level.FAIL, True)


def test_an_unknown_kind_is_only_doubted(tmp_path: Path) -> None:
    file = tmp_path / "a.tlt"
    file.write_bytes(b"encrypted something")

    assert check_weights("x", str(file)).level is Level.WARN


def test_folders_are_checked_by_what_is_in_them(tmp_path: Path) -> None:
    assert check_weights("x", str(tmp_path)).level is Level.WARN
    safetensors_file(tmp_path / "model-00001-of-00002.safetensors")
    assert check_weights("x", str(tmp_path)).level is Level.OK


def test_weights_that_are_not_there_fail(tmp_path: Path) -> None:
    assert check_weights("x", str(tmp_path / "gone.pth")).level is Level.FAIL


def test_paths_of_weights_are_found_in_a_spec_and_names_of_models_are_left_alone() -> None:
    spec: dict[str, JsonValue] = {
        "model": {"backbone": {"pretrained_path": "/w/vit.pth"}, "pretrained_backbone": "vitl"},
        "train": {"resume_training_checkpoint_path": "", "checkpoint_interval": 1, "init": "/w/init.ckpt"},
        "hub": {"weights": "https://example.com/a.pth"},
    }

    assert dict(named_weights(spec)) == {"model.backbone.pretrained_path": "/w/vit.pth", "train.init": "/w/init.ckpt"}
