"""What a spec or a list of samples names is opened if it is a regular file, and never waited for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from depth_net.config.tree import read_tree
from depth_net.data.annotations import names_files
from depth_net.data.picture_sizes import FileKind, file_kind, picture_size
from depth_net.data.readers import read_hdf5, read_image, read_npy, read_npz
from depth_net.data.video import Video
from depth_net.errors import DataError, SpecError, WeightsError
from depth_net.model.checkpoint_file import open_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (read_tree, SpecError),
        *((read, DataError) for read in (names_files, read_image, read_npy, read_npz, read_hdf5)),
    ],
)
def test_a_pipe_is_refused_at_once_and_named(
    tmp_path: Path, read: Callable[[Path], object], error: type[Exception]
) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(error, match=r"pipe.*it is a named pipe, not a file"):
        read(tmp_path / "pipe")


def test_a_pipe_has_no_size_and_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert file_kind(tmp_path / "pipe") is FileKind.UNKNOWN
    assert picture_size(tmp_path / "pipe") is None
    with pytest.raises(DataError, match="no such file"):
        Video(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_weights_with_a_pipe_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    os.mkfifo(tmp_path / name)

    with pytest.raises(WeightsError, match="it is a named pipe, not a file"):
        open_weights(tmp_path)
