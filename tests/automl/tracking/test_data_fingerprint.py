"""A fingerprint changes with the data, not with their place or age, and is the same for a copy."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from automl.tracking import data_fingerprint
from automl.tracking.data_fingerprint import evaluation_data, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name, content in {"a/1.png": b"one", "a/2.png": b"two", "b/1.png": b"six", "b/9.png": bytes(20_000)}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def digest_of(path: Path) -> str:
    return fingerprint(path).partition(" ")[0]


def change_middle(folder: Path) -> None:
    (folder / "b/9.png").write_bytes(bytes(9_000) + b"1" + bytes(10_999))


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        (lambda folder: (folder / "a/1.png").write_bytes(b"ONE"), True),
        (lambda folder: (folder / "a/1.png").write_bytes(b"ones"), True),
        (lambda folder: (folder / "a/2.png").rename(folder / "b/2.png"), True),
        (lambda folder: (folder / "b/1.png").unlink(), True),
        (lambda folder: (folder / "b/9.png").write_bytes(bytes(19_999) + b"1"), True),
        (lambda folder: os.utime(folder / "a/1.png", (1, 1)), False),
        (lambda folder: (folder / "empty").mkdir(), False),
        (lambda folder: os.mkfifo(folder / "pipe"), False),
        (lambda folder: (folder / "a/link").symlink_to(folder / "a"), False),
        (change_middle, False),
    ],
    ids=[*("content", "size", "folder", "gone", "tail"), *("age", "empty", "pipe", "link back", "beyond the samples")],
)
def test_a_folder_is_known_by_paths_sizes_and_samples(
    folder: Path, change: Callable[[Path], object], *, is_seen: bool
) -> None:
    before = digest_of(folder)

    change(folder)

    assert before.startswith("files:")
    assert (digest_of(folder) != before) == is_seen


def test_a_copy_and_a_folder_behind_a_link_have_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    linked = tmp_path / "linked"
    linked.mkdir()
    for part in ("a", "b"):
        (linked / part).symlink_to(copy / part)

    assert digest_of(copy) == digest_of(linked) == digest_of(folder)


def test_of_many_files_some_are_read_and_of_all_the_size_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_fingerprint, "_SAMPLES", 2)
    before = digest_of(folder)

    (folder / "a/2.png").write_bytes(b"TWO")  # the second of four
    assert digest_of(folder) == before
    (folder / "b/1.png").write_bytes(b"SIX")  # the third
    sampled = digest_of(folder)
    assert sampled != before
    (folder / "a/2.png").write_bytes(b"TWO.")
    assert digest_of(folder) != sampled


def test_a_large_file_is_known_by_its_size_and_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_fingerprint, "_HASHED_BYTES", 1000)
    file = tmp_path / "data.tar"

    def digest(content: bytes) -> str:
        file.write_bytes(content)
        return digest_of(file)

    plain = digest(bytes(5_000_000))
    assert plain.startswith("sampled:")
    assert plain not in {digest(bytes(5_000_001)), digest(b"1" + bytes(4_999_999)), digest(bytes(4_999_999) + b"1")}
    assert plain == digest(bytes(5_000_000))


def test_what_is_not_there_has_its_path_alone(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "nowhere") == str(tmp_path / "nowhere")


def test_evaluation_data_are_known_by_their_content_and_their_folder() -> None:
    train, val = "sha256:aa /a b/nyu/train.txt", "sha256:bb /a b/nyu/val.txt"
    data = {"data.d.train[0].file": train, "data.d.val[0].file": val, "version.x": "1"}

    assert evaluation_data(data) == "nyu/val.txt sha256:bb"
    assert evaluation_data({**data, "data.d.val[0].file": val.replace("/a b", "/else")}) == evaluation_data(data)
    assert evaluation_data({"data.d.train[0].file": train}) == "nyu/train.txt sha256:aa"
    assert evaluation_data({"data.val": "/archive/val.tar"}) == "/archive/val.tar"
    assert evaluation_data({}) == ""
