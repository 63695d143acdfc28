"""The stereo photograph of scikit-image, cut into a small disparity set: real light, no download.

One view of 500x741 pixels with disparities of 7 to 60 pixels, 93 % of them known (Middlebury 2014, `Motorcycle`,
reduced). Training tiles lie on the left and validation tiles on the right, so that no pixel is in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from depth_net.data.readers import write_pfm

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.data.readers import DepthArray, ImageArray

TILE = (120, 160)
"""Height and width."""
STRIDE = 40
FIRST_VALIDATION_COLUMN = 520
"""Training tiles end here, validation tiles start here."""


def write_motorcycle(directory: Path) -> dict[str, int]:
    """Write ``{train,val}/left_RRR_CCC.png`` and ``disparity_RRR_CCC.pfm`` (+inf where unknown) below ``directory``.

    Returns:
        The number of tiles of each split.
    """
    image, disparity = load_motorcycle()
    counts = {}
    for split, corners in (("train", train_corners(image.shape)), ("val", val_corners(image.shape))):
        folder = directory / split
        folder.mkdir(parents=True, exist_ok=True)
        for top, left in corners:
            window = (slice(top, top + TILE[0]), slice(left, left + TILE[1]))
            name = f"{top:03d}_{left:03d}"
            cv2.imwrite(str(folder / f"left_{name}.png"), cv2.cvtColor(image[window], cv2.COLOR_RGB2BGR))
            write_pfm(folder / f"disparity_{name}.pfm", disparity[window])
        counts[split] = len(corners)
    return counts


def load_motorcycle() -> tuple[ImageArray, DepthArray]:
    """Return the left image, RGB (500, 741, 3), and its disparity in pixels, (500, 741), +inf where unknown."""
    from skimage.data import stereo_motorcycle  # noqa: PLC0415 - 0.5 s to import, needed only for the demo data

    left, _right, disparity = stereo_motorcycle()  # type: ignore[no-untyped-call] # scikit-image has no annotations
    known = np.isfinite(disparity) & (disparity > 0)
    return np.asarray(left, dtype=np.uint8), np.where(known, disparity, np.inf).astype(np.float32)


def train_corners(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Top left corners, (row, column), of the tiles that end before `FIRST_VALIDATION_COLUMN`."""
    return _corners(shape[0], range(0, FIRST_VALIDATION_COLUMN - TILE[1] + 1, STRIDE))


def val_corners(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Top left corners, (row, column), of the tiles that start at or after `FIRST_VALIDATION_COLUMN`."""
    return _corners(shape[0], range(FIRST_VALIDATION_COLUMN, shape[1] - TILE[1] + 1, STRIDE))


def _corners(height: int, columns: range) -> list[tuple[int, int]]:
    return [(top, left) for top in range(0, height - TILE[0] + 1, STRIDE) for left in columns]
