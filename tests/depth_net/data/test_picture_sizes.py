"""Sizes read from the first bytes of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from depth_net.data.picture_sizes import picture_size
from depth_net.data.readers import read_image, write_pfm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPEG"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_pictures_of_opencv_have_the_size_they_were_written_with(
    tmp_path: Path, name: str, channels: tuple[int, ...]
) -> None:
    cv2.imwrite(str(tmp_path / name), np.zeros((31, 47, *channels), dtype=np.uint8))

    assert picture_size(tmp_path / name) == (31, 47)


def test_a_progressive_jpeg_is_understood(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.jpg"), np.zeros((31, 47, 3), dtype=np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])

    assert picture_size(tmp_path / "p.jpg") == (31, 47)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_have_the_size_in_which_they_are_read_whatever_their_exif_data_say(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (47, 31)).save(tmp_path / "turned", kind, exif=exif)

    assert picture_size(tmp_path / "turned", is_image=True) == read_image(tmp_path / "turned").shape[:2]
    assert picture_size(tmp_path / "turned") == (31, 47)


def test_float_maps_and_arrays_have_theirs(tmp_path: Path) -> None:
    write_pfm(tmp_path / "a.pfm", np.zeros((31, 47), dtype=np.float32))
    np.save(tmp_path / "a.npy", np.zeros((1, 31, 47)))
    np.save(tmp_path / "cube.npy", np.zeros((2, 31, 47)))

    assert picture_size(tmp_path / "a.pfm") == (31, 47)
    assert picture_size(tmp_path / "a.npy") == (31, 47)
    assert picture_size(tmp_path / "cube.npy") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe1\x00\x10Exif",
        b"\x89PNG\r\n\x1a\n",
        b"Pf\n",
        b"text",
        b"\x93NUMPY\x01\x00\x02\x00(\n",
    ],
)
def test_what_is_not_understood_has_no_size(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)

    assert picture_size(tmp_path / "odd") is None
    assert picture_size(tmp_path / "absent") is None
