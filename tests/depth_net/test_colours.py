from __future__ import annotations

import numpy as np
import pytest

from depth_net.colours import Scale, bar, palette, scale_of, text_size, title
from depth_net.config.choices import ColourMap

RAMP = np.linspace(0.0, 5.0, 256, dtype=np.float32)[None]
RED, BLUE = [158, 1, 66], [94, 79, 162]


def test_colours_are_those_of_the_spectral_map() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    expected = matplotlib.colormaps["Spectral"](np.arange(256))[:, :3] * 255

    np.testing.assert_allclose(palette(ColourMap.SPECTRAL)[::-1], expected, atol=1.0)


@pytest.mark.parametrize("colours", ColourMap)
def test_near_is_warm_or_bright_in_every_map_and_in_both_families(colours: ColourMap) -> None:
    metres = Scale(low=0.0, high=5.0, in_metres=True, colours=colours).paint(RAMP)[0].astype(int)
    disparity = Scale(low=0.0, high=5.0, in_metres=False, colours=colours).paint(RAMP)[0].astype(int)

    near, far = metres[0], metres[-1]
    np.testing.assert_array_equal(disparity[-1], near)
    np.testing.assert_array_equal(disparity[0], far)
    assert near[0] - near[2] > far[0] - far[2] or near.sum() > far.sum()


def test_pixels_that_are_not_valid_or_not_finite_are_black_and_do_not_stretch_the_colours() -> None:
    values = np.array([[1.0, 2.0, np.inf, np.nan, 900.0]], dtype=np.float32)
    valid = np.array([[True, True, True, True, False]])
    scale = scale_of(values, valid, in_metres=True, colours=ColourMap.SPECTRAL)

    picture = scale.paint(values, valid)

    assert picture[0, 2:].max() == 0
    assert (picture[0, 0].tolist(), picture[0, 1].tolist()) == (RED, BLUE)


def test_a_constant_map_has_one_colour_and_an_empty_one_is_black() -> None:
    constant, nowhere = np.full((2, 2), 3.0, dtype=np.float32), np.zeros((2, 2), dtype=np.bool_)
    scale = scale_of(constant, None, in_metres=True, colours=ColourMap.TURBO)

    assert len(np.unique(scale.paint(constant).reshape(-1, 3), axis=0)) == 1
    assert scale_of(constant, nowhere, in_metres=True, colours=ColourMap.TURBO).paint(constant, nowhere).max() == 0


def test_a_few_outliers_do_not_take_all_colours() -> None:
    values = np.concatenate([np.linspace(1, 2, 9990), np.full(10, 500.0)]).astype(np.float32)[None]

    assert scale_of(values, None, in_metres=True, colours=ColourMap.SPECTRAL).high < 2.1


def test_the_scale_says_metres_from_far_to_near_or_only_far_and_near() -> None:
    assert Scale(low=1.0, high=3.0, in_metres=True).labels() == ("3.00 m", "2.50 m", "2.00 m", "1.50 m", "1.00 m")
    assert Scale(low=0.0, high=80.0, in_metres=True).labels()[0] == "80.0 m"
    assert Scale(low=0.1, high=3.0, in_metres=False).labels() == ("far", "near")


@pytest.mark.parametrize("height", [1, 12, 240, 2160])
def test_a_scale_has_the_height_of_its_picture_with_near_at_the_bottom(height: int) -> None:
    picture = bar(Scale(low=1.0, high=3.0, in_metres=True), height)

    assert picture.shape[0] == height
    if height > 1:
        column = picture[:, round(10 * text_size(height)) + 4]
        assert (column[0].tolist(), column[-1].tolist()) == (BLUE, RED)
    assert title("prediction", 3, height).shape[1] == 3
