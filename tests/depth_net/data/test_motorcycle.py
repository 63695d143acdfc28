"""The real photograph in tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from depth_net.data.motorcycle import TILE, load_motorcycle, train_corners, val_corners, write_motorcycle
from depth_net.data.readers import read_image, read_pfm

if TYPE_CHECKING:
    from pathlib import Path


def test_training_and_validation_tiles_share_no_pixel() -> None:
    seen = np.zeros((2, 500, 741), dtype=np.bool_)
    for split, corners in enumerate((train_corners((500, 741)), val_corners((500, 741)))):
        for top, left in corners:
            seen[split, top : top + TILE[0], left : left + TILE[1]] = True

    assert not (seen[0] & seen[1]).any()
    assert seen[0, :, :520].all(axis=1).sum() == 480
    assert seen[1].any()


def test_tiles_on_disk_equal_the_photograph(tmp_path: Path) -> None:
    counts = write_motorcycle(tmp_path)
    image, disparity = load_motorcycle()

    assert (counts["train"], counts["val"]) == (100, 20)
    assert len(list((tmp_path / "train").iterdir())) == 200
    np.testing.assert_array_equal(read_image(tmp_path / "val/left_040_560.png"), image[40:160, 560:720])
    np.testing.assert_array_equal(read_pfm(tmp_path / "val/disparity_040_560.pfm"), disparity[40:160, 560:720])


def test_unknown_disparity_is_infinite_and_the_rest_is_plausible() -> None:
    image, disparity = load_motorcycle()
    known = np.isfinite(disparity)

    assert image.shape == (500, 741, 3)
    assert 0.92 < known.mean() < 0.94
    assert disparity[known].min() > 5
    assert disparity[known].max() < 61
