"""A fingerprint changes with the data, not with their place or age, and is the same for a copy."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", "# a list\na/1.png a/2.png 715.9\n'b/1.png' b/9.png\n"),
        ("list.txt", "\\a\\1.png /b/9.png\r\n".encode("utf-16")),
        ("list.csv", "image;depth\na/1.png;b/9.png\n"),
        ("list.tsv", "a/1.png\tb/9.png\n"),
        ("list.lst", "it's not a path\na/1.png b/9.png\n"),
        ("list.json", '{"images": [{"file_name": "a/1.png", "id": 7}, {"file_name": "b\\/9.png"}]}'),
        ("list.jsonl", '{"image": "a/1.png"}\n{"image": "b/9.png", "text": "one \\" two"}\n'),
    ],
)
def test_of_a_list_the_files_that_it_names_count(folder: Path, name: str, content: str | bytes) -> None:
    listed = folder / name
    listed.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = digest_of(listed)

    assert before.startswith("listed:")
    assert digest_of(shutil.copytree(folder, folder.parent / "copy") / name) == before
    (folder / "unlisted.png").write_bytes(b"1")
    os.utime(folder / "a/1.png", (1, 1))
    assert digest_of(listed) == before
    (folder / "a/1.png").write_bytes(b"ONE")
    changed = digest_of(listed)
    assert changed != before
    (folder / "b/9.png").unlink()
    assert digest_of(listed) not in {before, changed}


def test_a_list_whose_files_are_elsewhere_is_known_by_its_bytes(folder: Path) -> None:
    listed = folder / "list.txt"
    listed.write_bytes(b"x/1.png\n" + b"\xff.png\n" + b"a\x00.png\n" + b"a.png " * 20_000)

    assert digest_of(listed) == f"sha256:{hashlib.sha256(listed.read_bytes()).hexdigest()}"


def test_a_list_of_many_thousand_files_takes_little_time(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"images/{number}.png a.png\n" for number in range(100_000)), encoding="utf-8")

    began_s = time.process_time()
    digest = digest_of(listed)

    assert digest.startswith("listed:")
    assert time.process_time() - began_s < 5  # 0.6 s


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".json", '"' + "a" * 4_000_000), (".json", '"a.png' * 500_000), (".txt", '"a ' * 1_000_000)],
)
def test_a_list_that_is_none_takes_little_time(tmp_path: Path, suffix: str, content: str) -> None:
    listed = tmp_path / f"list{suffix}"
    listed.write_text(content, encoding="utf-8")

    began_s = time.process_time()

    assert digest_of(listed).startswith("sha256:")
    assert time.process_time() - began_s < 5


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
    assert evaluation_data(data, ["data.d.train[0].file"]) == "nyu/val.txt sha256:bb"
    assert evaluation_data(data, ["data.d.val[0].file"]) == "nyu/val.txt, which has changed during the study sha256:bb"
