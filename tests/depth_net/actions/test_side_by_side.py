from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from depth_net.actions.side_by_side import draw_map, draw_side_by_side, write_picture
from depth_net.colours import Scale, bar, title

if TYPE_CHECKING:
    from pathlib import Path

SCALE = Scale(low=1.0, high=3.0, in_metres=True)


def test_the_ground_truth_stands_in_the_middle_where_there_is_one() -> None:
    image = np.full((480, 640, 3), 7, dtype=np.uint8)
    depth = np.ones((480, 640), dtype=np.float32)
    valid = np.zeros((480, 640), dtype=np.bool_)

    with_truth = draw_side_by_side(image, depth, depth, valid, SCALE)
    without = draw_side_by_side(image, depth, None, valid, SCALE)

    height = 240 + title("image", 320, 240).shape[0]
    wide = bar(SCALE, 240).shape[1]
    assert with_truth.shape == (height, 960 + wide, 3)
    assert without.shape == (height, 640 + wide, 3)
    assert with_truth[-240:, :320].max() == 7
    assert with_truth[-240:, 320:640].max() == 0
    assert with_truth[-1, 700].tolist() == without[-1, 400].tolist() == [158, 1, 66]
    assert with_truth[:-240, :320].max() > 200  # letters


def test_a_map_alone_keeps_its_size_beside_its_scale() -> None:
    picture = draw_map(np.ones((50, 70), dtype=np.float32), SCALE)

    assert picture.shape == (50, 70 + bar(SCALE, 50).shape[1], 3)


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
