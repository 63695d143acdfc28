"""The picture that inference writes per image: the image, the ground truth where there is one, and the prediction.

Half the size of the image, next to each other, as the reference lays them out. Colours are those of the Spectral map
(red is small, blue is large), stretched per picture over its valid pixels. Unlike in the reference, red stays red: it
writes its pictures with red and blue exchanged. Pictures of a training run are in `depth_net.panels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

    ImageArray = npt.NDArray[np.uint8]
    """RGB, shape (H, W, 3)."""
    DepthArray = npt.NDArray[np.float32]
    MaskArray = npt.NDArray[np.bool_]

_SPECTRAL = (
    (158, 1, 66),
    (213, 62, 79),
    (244, 109, 67),
    (253, 174, 97),
    (254, 224, 139),
    (255, 255, 191),
    (230, 245, 152),
    (171, 221, 164),
    (102, 194, 165),
    (50, 136, 189),
    (94, 79, 162),
)
"""Cynthia Brewer's diverging eleven-class scheme, from small to large."""


def draw_side_by_side(
    image: ImageArray, prediction: DepthArray, target: DepthArray | None, valid: MaskArray
) -> ImageArray:
    """Put the pictures of one image side by side at half its size.

    Args:
        image: RGB, shape (H, W, 3).
        prediction: Shape (H, W).
        target: Ground truth, shape (H, W), or None.
        valid: Where the ground truth counts; elsewhere its picture is black.

    Returns:
        RGB, shape (H // 2, 3 * (W // 2), 3), or two thirds as wide without ground truth.
    """
    pictures = [image]
    if target is not None:
        pictures.append(colour(target, valid))
    pictures.append(colour(prediction, np.ones_like(valid)))
    height, width = image.shape[:2]
    half = (max(1, width // 2), max(1, height // 2))
    return np.hstack([cv2.resize(picture, half, interpolation=cv2.INTER_AREA) for picture in pictures])


def colour(values: DepthArray, valid: MaskArray) -> ImageArray:
    """Colour a map from its smallest to its largest valid value.

    Args:
        values: Shape (H, W). Elements that are not finite count as not valid.
        valid: Shape (H, W).

    Returns:
        RGB, shape (H, W, 3); black where not valid; one colour for a constant map.
    """
    counts = np.isfinite(values) & valid
    if not counts.any():
        return np.zeros((*values.shape, 3), dtype=np.uint8)
    low, high = float(values[counts].min()), float(values[counts].max())
    level = np.zeros(values.shape, dtype=np.uint8)
    level[counts] = np.rint((values[counts] - low) * (255.0 / (high - low or 1.0)))
    picture = _palette()[level]
    picture[~counts] = 0
    return picture


def write_picture(path: Path, picture: ImageArray) -> None:
    """Write an RGB picture in the format that the suffix names; the folder is created.

    Raises:
        OSError: the suffix names no picture format, or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Encoded in memory first: the file name then never passes through OpenCV, which cannot open some names.
    try:
        encoded_well, content = cv2.imencode(path.suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise OSError(f"{path}: {path.suffix!r} is no picture format") from error
    if not encoded_well:
        raise OSError(f"{path}: the picture could not be encoded as {path.suffix!r}")
    path.write_bytes(content.tobytes())


def _palette() -> ImageArray:
    """256 colours between the eleven of the scheme."""
    anchors = np.array(_SPECTRAL, dtype=np.float64)
    place = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(place, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)
