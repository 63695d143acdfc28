"""What a trainer leaves is opened without waiting, and only inside its own folder."""

from __future__ import annotations

import os
import socket
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from automl.storage import trainer_files
from automl.storage.deletion import delete
from automl.storage.trainer_files import (
    RefusedFileError,
    can_open,
    files_below,
    keep_made,
    open_made,
    read_made,
    refusals,
    sha256_of,
)
from automl.trial.checkpoints import latest_links

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def pipe(file: Path) -> None:
    os.mkfifo(file)


def listener(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(file))


def folder_link(file: Path) -> None:
    file.symlink_to(file.parent)


def outside_link(file: Path) -> None:
    secret = file.parent.parent / "secret"
    secret.write_text("secret", encoding="utf-8")
    file.symlink_to(secret)


def device_link(file: Path) -> None:
    file.symlink_to("/dev/zero")


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    folder = tmp_path / "0007"
    folder.mkdir()
    return folder


def test_a_file_and_a_link_within_the_folder_are_read(trial: Path) -> None:
    (trial / "train").mkdir()
    (trial / "train/a.txt").write_text("content", encoding="utf-8")
    (trial / "latest.txt").symlink_to("train/a.txt")

    assert read_made(trial, trial / "train/a.txt") == read_made(trial, trial / "latest.txt") == b"content"
    assert refusals(trial) == []


def test_a_folder_that_is_a_link_to_other_storage_is_a_folder_all_the_same(trial: Path, tmp_path: Path) -> None:
    (trial / "a.txt").write_text("content", encoding="utf-8")
    (tmp_path / "linked").symlink_to(trial)

    assert read_made(tmp_path / "linked", tmp_path / "linked/a.txt") == b"content"


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (pipe, "a named pipe"),
        (listener, "a socket"),
        (folder_link, "a folder"),
        (outside_link, "a link to a file outside the folder of its trial"),
        (device_link, "a device"),
    ],
)
def test_what_is_no_file_of_the_trial_is_refused_at_once_and_named_once(
    trial: Path, make: Callable[[Path], None], found: str
) -> None:
    file = trial / "model.pth"
    make(file)

    for _ in range(3):
        with pytest.raises(RefusedFileError, match=found):
            open_made(trial, file)

    assert refusals(trial) == [f"0007/model.pth was not read: it is {found}"]
    assert refusals(trial) == []


def test_a_link_of_a_folder_leads_no_further_than_one_of_a_file(trial: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text("secret", encoding="utf-8")
    (trial / "panels").symlink_to(tmp_path / "secrets")

    assert not can_open(trial, trial / "panels/key")
    assert not can_open(trial, trial / "panels/../../secrets/key")


def test_a_pipe_that_is_refused_does_not_wake_its_writer(trial: Path) -> None:
    os.mkfifo(trial / "pipe")

    assert not can_open(trial, trial / "pipe")

    with pytest.raises(OSError, match="No such device"):  # nobody reads it
        os.open(trial / "pipe", os.O_WRONLY | os.O_NONBLOCK)


def test_a_file_that_is_too_large_is_refused(trial: Path) -> None:
    (trial / "metrics.json").write_bytes(b"x" * 101)

    with pytest.raises(RefusedFileError, match="has 101 bytes, more than 100"):
        open_made(trial, trial / "metrics.json", most_bytes=100)


def test_terabytes_that_were_never_written_are_refused_at_once(trial: Path) -> None:
    file = trial / "model.pth"
    file.write_bytes(b"x")
    os.truncate(file, 10 << 40)

    with pytest.raises(RefusedFileError, match="was not read: it is nearly empty: 109951"):
        open_made(trial, file)
    with pytest.raises(RefusedFileError):
        keep_made(trial, file, trial / "best.pth")

    assert sha256_of(file) is None
    assert not (trial / "best.pth").exists()


def test_a_large_file_with_holes_and_content_is_read(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_files, "_MOST_HOLES", 1 << 20)
    file = trial / "model.pth"
    with file.open("wb") as stream:
        for position in range(0, 8 << 20, 1 << 20):
            stream.seek(position)
            stream.write(b"x" * (1 << 19))

    with open_made(trial, file) as stream:
        assert stream.read(1) == b"x"


def test_a_file_that_is_missing_is_missing_and_not_refused(trial: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_made(trial, trial / "missing")

    assert refusals(trial) == []


def test_only_what_lies_below_a_folder_is_named_and_no_name_can_write_to_the_terminal(
    trial: Path, tmp_path: Path
) -> None:
    (tmp_path / "0008").mkdir()
    os.mkfifo(tmp_path / "0008/a\x1b[2J")
    can_open(tmp_path / "0008", tmp_path / "0008/a\x1b[2J")

    assert refusals(trial) == []
    assert refusals(tmp_path / "0008") == ["0008/a\\x1b[2J was not read: it is a named pipe"]


def test_every_entry_that_is_no_folder_is_listed_and_no_link_is_followed(trial: Path, tmp_path: Path) -> None:
    (trial / "b").mkdir()
    (trial / "b/file").touch()
    (trial / "a").symlink_to(tmp_path)
    (trial / "c").symlink_to("missing")

    assert list(files_below(trial)) == [trial / "a", trial / "c", trial / "b/file"]


def test_a_checkpoint_gets_a_second_name_and_links_in_it_are_followed_within_its_trial_alone(
    trial: Path, tmp_path: Path
) -> None:
    (trial / "epoch_1/deep").mkdir(parents=True)
    (trial / "epoch_1/deep/weights").write_text("weights", encoding="utf-8")
    (trial / "shared").write_text("shared", encoding="utf-8")
    (trial / "epoch_1/link").symlink_to("../shared")

    keep_made(trial, trial / "epoch_1", tmp_path / "kept")
    (trial / "epoch_1/secret").symlink_to(tmp_path / "kept/deep/weights")
    with pytest.raises(RefusedFileError, match="outside the folder"):
        keep_made(trial, trial / "epoch_1", tmp_path / "again")

    assert (tmp_path / "kept/deep/weights").samefile(trial / "epoch_1/deep/weights")
    assert (tmp_path / "kept/link").read_text(encoding="utf-8") == "shared"
    assert not (tmp_path / "kept/link").is_symlink()
    assert not (tmp_path / "again/secret").exists()


def test_where_there_are_no_hard_links_a_checkpoint_is_copied(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    (trial / "a.pth").write_text("weights", encoding="utf-8")
    os.utime(trial / "a.pth", (5, 5))
    monkeypatch.setattr("os.link", refuse)

    keep_made(trial, trial / "a.pth", tmp_path / "b.pth")

    assert (tmp_path / "b.pth").read_text(encoding="utf-8") == "weights"
    assert (tmp_path / "b.pth").stat().st_mtime == 5
    assert not (tmp_path / "b.pth").samefile(trial / "a.pth")


def test_a_folder_deeper_than_python_reaches_ends_no_search(trial: Path) -> None:
    here = os.open(trial, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (trial / "d/d/a.png").touch()

    assert list(files_below(trial)) == [trial / "d/d/a.png"]
    assert list(files_below(trial, "*.pth")) == []
    delete(trial / "d", inside=trial)


def test_a_link_to_itself_is_refused_and_leads_to_itself(trial: Path) -> None:
    link = trial / "toy_latest.pth"
    link.symlink_to(link.name)

    assert not can_open(trial, link)
    assert latest_links(trial) == {link: link}


def test_a_small_file_takes_little_memory_whatever_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    tracemalloc.start()
    try:
        assert read_made(tmp_path, tmp_path / "a.txt", most_bytes=1 << 30) == b"content"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
