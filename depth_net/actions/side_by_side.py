"""The pictures that inference writes per image: image, ground truth and prediction side by side, or a map alone.

Side by side they have half the size of the image, a title above each column and a scale at the right. Colours are those
of `depth_net.colours`: near is warm in both families, where the reference draws what is small in red, and exchanges red
and blue. Pictures of a training run are in `depth_net.panels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from depth_net.colours import bar, beside, title

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.colours import DepthArray, ImageArray, MaskArray, Scale


def draw_side_by_side(
    image: ImageArray, prediction: DepthArray, target: DepthArray | None, valid: MaskArray, scale: Scale
) -> ImageArray:
    """Put the pictures of one image side by side at half its size.

    Args:
        image: RGB, shape (H, W, 3).
        prediction: Shape (H, W); disparity beside ground truth has been aligned to it.
        target: Ground truth, shape (H, W), or None.
        valid: Where the ground truth counts; elsewhere its picture is black.
        scale: Of both maps.

    Returns:
        RGB: columns of width W // 2 and height H // 2 under a line of titles, and the scale.
    """
    columns = {"image": image}
    if target is not None:
        columns["ground truth"] = scale.paint(target, valid)
    is_aligned = target is not None and not scale.in_metres
    columns["prediction, aligned" if is_aligned else "prediction"] = scale.paint(prediction)
    width, height = (max(1, side // 2) for side in (image.shape[1], image.shape[0]))
    drawn = [
        np.vstack([title(text, width, height), cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)])
        for text, picture in columns.items()
    ]
    return beside([*drawn, bar(scale, height)])


def draw_map(prediction: DepthArray, scale: Scale) -> ImageArray:
    """Draw a map at its own size with the scale at its right."""
    return beside([scale.paint(prediction), bar(scale, prediction.shape[0])])


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
