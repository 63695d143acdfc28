"""Sizes and values of transformed samples, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from depth_net.data.families import GroundTruth
from depth_net.data.transforms import (
    Planes,
    crop_square,
    nearest_valid_sizes,
    normalize_image,
    resize_ground_truth,
    resize_image,
    resized_shape,
)


@pytest.mark.parametrize(
    ("native", "crop", "expected"),
    [
        ((480, 640), (518, 518), (518, 686)),
        ((480, 640), (70, 70), (70, 98)),
        ((240, 320), (98, 98), (98, 126)),
        ((375, 1242), (518, 518), (518, 1722)),
        ((120, 160), (100, 100), (112, 140)),
        ((640, 480), (518, 518), (686, 518)),
        ((518, 518), (518, 518), (518, 518)),
    ],
)
def test_the_resized_image_covers_the_crop_in_multiples_of_14(
    native: tuple[int, int], crop: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert resized_shape(*native, crop) == expected


def test_zoom_magnifies_beyond_the_crop() -> None:
    assert resized_shape(480, 640, (70, 70), zoom=2.0) == (140, 182)


def test_normalising_equals_the_arithmetic_bit_for_bit() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406], dtype=np.float32), np.array([0.229, 0.224, 0.225], dtype=np.float32)

    normalized = normalize_image(image[:, ::-1], mean.tolist(), std.tolist())

    expected = ((image[:, ::-1] / np.float32(255)) - mean) / std
    np.testing.assert_array_equal(normalized, expected.transpose(2, 0, 1))
    assert normalized.dtype == np.float32


def test_ground_truth_is_resized_without_new_values() -> None:
    target = np.array([[1.0, 5.0], [9.0, 13.0]], dtype=np.float32)

    resized, valid = resize_ground_truth(GroundTruth(target, target > 4), (14, 28))

    assert resized.shape == valid.shape == (14, 28)
    assert set(np.unique(resized)) == {1.0, 5.0, 9.0, 13.0}
    np.testing.assert_array_equal(valid, resized > 4)


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = np.zeros((14, 28, 3), dtype=np.uint8)

    assert resize_image(image, (14, 28)) is image
    assert resize_image(image, (28, 28)).shape == (28, 28, 3)


def test_a_crop_takes_the_same_window_of_all_planes() -> None:
    ramp = np.arange(20 * 30, dtype=np.float32).reshape(20, 30)
    planes = Planes(np.repeat((ramp % 251).astype(np.uint8)[..., None], 3, axis=-1), ramp, ramp % 2 == 0)

    windows = [crop_square(planes, 14, np.random.default_rng(seed)) for seed in range(50)]

    for window in windows:
        assert window.image.shape == (14, 14, 3)
        np.testing.assert_array_equal(window.image[..., 0], window.target % 251)
        np.testing.assert_array_equal(window.valid, window.target % 2 == 0)
    corners = {(int(window.target[0, 0]) // 30, int(window.target[0, 0]) % 30) for window in windows}
    assert {row for row, _ in corners} == set(range(7))
    assert max(column for _, column in corners) == 16


@pytest.mark.parametrize(("side", "expected"), [(100, (98, 112)), (98, (98, 98)), (3, (14, 14))])
def test_the_nearest_multiples_of_14_lie_on_both_sides(side: int, expected: tuple[int, int]) -> None:
    assert nearest_valid_sizes(side) == expected
