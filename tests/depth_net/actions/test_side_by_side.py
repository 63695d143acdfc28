from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from depth_net.actions.side_by_side import colour, draw_side_by_side, write_picture

if TYPE_CHECKING:
    from pathlib import Path

RAMP = np.linspace(0.0, 5.0, 256, dtype=np.float32)[None]
EVERYWHERE = np.ones((1, 256), dtype=np.bool_)


def test_colours_are_those_of_the_spectral_map() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    expected = matplotlib.colormaps["Spectral"](np.arange(256))[:, :3] * 255

    np.testing.assert_allclose(colour(RAMP, EVERYWHERE)[0], expected, atol=1.0)


def test_pixels_that_are_not_valid_or_not_finite_are_black_and_do_not_stretch_the_colours() -> None:
    values = np.array([[1.0, 2.0, np.inf, np.nan, 900.0]], dtype=np.float32)
    valid = np.array([[True, True, True, True, False]])

    picture = colour(values, valid)

    assert picture[0, 2:].max() == 0
    assert picture[0, 0].tolist() == [158, 1, 66]
    assert picture[0, 1].tolist() == [94, 79, 162]


def test_a_constant_map_has_one_colour_and_an_empty_one_is_black() -> None:
    constant = np.full((2, 2), 3.0, dtype=np.float32)

    assert len(np.unique(colour(constant, np.ones((2, 2), dtype=np.bool_)).reshape(-1, 3), axis=0)) == 1
    assert colour(constant, np.zeros((2, 2), dtype=np.bool_)).max() == 0


def test_the_ground_truth_stands_in_the_middle_where_there_is_one() -> None:
    image = np.full((480, 640, 3), 7, dtype=np.uint8)
    depth = np.ones((480, 640), dtype=np.float32)
    valid = np.zeros((480, 640), dtype=np.bool_)

    with_truth = draw_side_by_side(image, depth, depth, valid)
    without = draw_side_by_side(image, depth, None, valid)

    assert with_truth.shape == (240, 960, 3)
    assert without.shape == (240, 640, 3)
    assert with_truth[:, 320:640].max() == 0


def test_red_stays_red_on_disk_under_odd_names(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    picture[..., 0] = 255
    path = tmp_path / "näme with späce, 100%.JPG.dir" / "ímage.PNG"

    write_picture(path, picture)

    stored = cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)
    assert stored is not None
    assert stored[0, 0].tolist() == [0, 0, 255]


def test_a_suffix_that_is_no_picture_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is no picture format"):
        write_picture(tmp_path / "a.xyz", np.zeros((2, 2, 3), dtype=np.uint8))
