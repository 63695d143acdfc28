"""Files of images and ground truth, byte by byte."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from depth_net.data import readers
from depth_net.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from depth_net.data.readers import DepthArray


def test_an_image_is_read_as_rgb_whatever_its_channels(tmp_path: Path) -> None:
    red_bgr = np.zeros((2, 3, 3), dtype=np.uint8)
    red_bgr[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.PNG"), red_bgr)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((2, 3), 7, dtype=np.uint8))

    assert readers.read_image(tmp_path / "red.PNG")[0, 0].tolist() == [255, 0, 0]
    assert readers.read_image(tmp_path / "grey.png")[1, 2].tolist() == [7, 7, 7]


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")

    with pytest.raises(DataError, match=r"broken\.png: expected a PNG or JPEG image, found 10 bytes"):
        readers.read_image(tmp_path / "broken.png")


def test_a_name_that_is_no_utf_8_is_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 3), 7, dtype=np.uint8))
    odd = tmp_path / "caf\udce9 #1.png"
    (tmp_path / "a.png").rename(odd)

    assert readers.read_image(odd).shape == (2, 3, 3)
    assert readers.read_picture_values(odd)[0, 0] == 7


def test_pfm_is_read_back_as_written(tmp_path: Path) -> None:
    values = np.array([[1.5, np.inf, -2.0], [0.0, 1e-30, 3e8]], dtype=np.float32)

    readers.write_pfm(tmp_path / "a.pfm", values)

    np.testing.assert_array_equal(readers.read_pfm(tmp_path / "a.pfm"), values)


def test_pfm_is_stored_from_the_bottom_in_little_endian(tmp_path: Path) -> None:
    readers.write_pfm(tmp_path / "a.pfm", np.array([[1.0], [2.0]], dtype=np.float32))

    assert (tmp_path / "a.pfm").read_bytes() == b"Pf\n1 2\n-1\n" + np.array([2.0, 1.0], dtype="<f4").tobytes()


def test_pfm_of_big_endian_colours_gives_numbers_only_if_they_are_equal(tmp_path: Path) -> None:
    bottom, top = [[1, 1, 1], [4, 4, 4]], [[7, 7, 7], [10, 10, 10]]
    (tmp_path / "c.pfm").write_bytes(b"PF\n2 2\n1.0\n" + np.array([bottom, top], dtype=">f4").tobytes())
    (tmp_path / "d.pfm").write_bytes(b"PF\n1 1\n1.0\n" + np.array([1, 2, 3], dtype=">f4").tobytes())

    np.testing.assert_array_equal(readers.read_pfm(tmp_path / "c.pfm"), [[7, 10], [1, 4]])
    with pytest.raises(DataError, match="a picture, not depth"):
        readers.read_pfm(tmp_path / "d.pfm")


@pytest.mark.parametrize("content", [b"", b"P6\n2 2\n255\n", b"Pf\n2 2\n-1\n1234"])
def test_a_pfm_without_header_or_with_too_few_values_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.pfm").write_bytes(content)

    with pytest.raises(DataError, match=r"bad\.pfm: expected"):
        readers.read_pfm(tmp_path / "bad.pfm")


@pytest.mark.parametrize(
    ("read", "stored", "expected"),
    [
        (readers.read_values, [0, 7, 300], [0.0, 7.0, 300.0]),
        (readers.read_picture_values, [0, 7, 300], [0.0, 7.0, 300.0]),
    ],
)
def test_sixteen_bit_values_come_as_stored(
    tmp_path: Path, read: Callable[[Path], DepthArray], stored: list[int], expected: list[float]
) -> None:
    cv2.imwrite(str(tmp_path / "d.png"), np.array([stored], dtype=np.uint16))

    np.testing.assert_allclose(read(tmp_path / "d.png"), [expected], rtol=1e-6)


def test_disparity_in_colours_is_decoded_in_base_255(tmp_path: Path) -> None:
    rgb = np.array([[[0, 0, 0], [1, 2, 3]]], dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "f.png"), rgb[..., ::-1])

    np.testing.assert_allclose(readers.read_fsd(tmp_path / "f.png"), [[0.0, (255**2 + 2 * 255 + 3) / 1000]], rtol=1e-6)


@pytest.mark.parametrize(("bits", "white"), [(8, 255), (10, 1023), (12, 4095), (14, 16383), (16, 65535)])
def test_a_picture_of_more_than_8_bits_keeps_its_brightness(tmp_path: Path, bits: int, white: int) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.array([[0, white // 2, white]], dtype=np.uint16))

    levels = readers.read_image(tmp_path / "p.png")[0, :, 0].tolist()

    assert levels == [0, 127, 255], bits


def test_a_dark_picture_has_the_bits_of_those_beside_it(tmp_path: Path) -> None:
    for name, largest in (("rgb_001", 900), ("rgb_002", 4000), ("depth_001", 60_000)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.array([[0, largest]], dtype=np.uint16))

    assert readers.read_image(tmp_path / "rgb_001.png").max() == 900 >> 4


def test_a_picture_too_large_to_decode_is_one_sentence(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))

    for read in (readers.read_image, readers.read_values):
        with pytest.raises(DataError, match=r"huge\.png: expected .* of at most 1073741824 pixels"):
            read(tmp_path / "huge.png")


def test_numpy_depth_may_have_an_axis_of_one(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.ones((1, 2, 3), dtype=np.float64))

    depth_m = readers.read_npy(tmp_path / "d.npy")

    assert depth_m.shape == (2, 3)
    assert depth_m.dtype == np.float32


def test_numpy_files_that_are_no_plane_of_numbers_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.ones((2, 3, 4)))
    (tmp_path / "text.npy").write_text("hello", encoding="utf-8")

    np.save(tmp_path / "complex.npy", np.ones((2, 3), dtype=np.complex64))
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    np.savez(tmp_path / "archive", np.ones((2, 3)))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    np.save(tmp_path / "header.npy", np.ones((2, 3)))
    (tmp_path / "header.npy").write_bytes((tmp_path / "header.npy").read_bytes().replace(b"}", b"("))

    for name in ("cube", "complex"):
        with pytest.raises(DataError, match="one plane of numbers"):
            readers.read_npy(tmp_path / f"{name}.npy")
    for name in ("text", "objects", "archive", "header"):
        with pytest.raises(DataError, match=r"numeric \.npy array"):
            readers.read_npy(tmp_path / f"{name}.npy")


@pytest.mark.parametrize("scale", [b"1.2.3", b".", b"-", b"abc", b""])
def test_a_float_map_whose_scale_is_no_number_is_refused(tmp_path: Path, scale: bytes) -> None:
    (tmp_path / "odd.pfm").write_bytes(b"Pf\n2 1\n" + scale + b"\n" + bytes(8))

    with pytest.raises(DataError, match="expected a PFM file"):
        readers.read_pfm(tmp_path / "odd.pfm")


def test_true_and_false_are_no_depth(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.ones((4, 4), dtype=bool))

    with pytest.raises(DataError, match="of bool"):
        readers.read_npy(tmp_path / "mask.npy")
