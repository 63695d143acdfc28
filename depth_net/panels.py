"""Pictures to look at: input, ground truth and prediction of a few fixed validation images, side by side.

Both maps of a row share one scale, that of the valid ground truth, which stands beside them; near is red in both
families. A relative prediction is first aligned to the ground truth, as its metrics are. Pixels without ground truth
are black in the middle column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch

from depth_net.actions.side_by_side import write_picture
from depth_net.colours import bar, beside, scale_of, title
from depth_net.config.choices import ColourMap
from depth_net.model.family import ModelType
from depth_net.scoring import align

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from depth_net.colours import ImageArray

COUNT: Final = 4
"""Images per panel."""
_HEIGHT: Final = 180
_GAP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRow:
    """One image with its maps, all on the processor.

    Attributes:
        image: RGB in 0..1, shape (3, h, w).
        target: Metres or disparity, shape (H, W).
        valid: Boolean, same shape.
        predicted: Metres or disparity, same shape.
    """

    image: Tensor
    target: Tensor
    valid: Tensor
    predicted: Tensor


def choose_rows(length: int, count: int = COUNT) -> tuple[int, ...]:
    """Return up to ``count`` indices spread evenly over ``length`` images, the first and the last among them."""
    if length <= count:
        return tuple(range(length))
    return tuple(round(index * (length - 1) / (count - 1)) for index in range(count))


def write_panel(path: Path, rows: Sequence[PanelRow], model_type: ModelType) -> None:
    """Write a PNG with one line per image: input, ground truth, prediction, and the scale of both maps.

    Args:
        path: File to write; its folder is created.
        rows: At least one.
        model_type: The family.

    Raises:
        OSError: the file cannot be written.
    """
    lines = [_line(row, model_type) for row in rows]
    width = max(line.shape[1] for line in lines)
    padded = [np.pad(line, ((0, _GAP), (0, width - line.shape[1]), (0, 0))) for line in lines]
    write_picture(path, np.concatenate(padded)[:-_GAP])


def _line(row: PanelRow, model_type: ModelType) -> ImageArray:
    target, valid = row.target.double(), row.valid.bool()
    predicted = row.predicted.double()
    if model_type is ModelType.RELATIVE:
        predicted = align(predicted, target, valid)
    found, wanted = (values.numpy().astype(np.float32) for values in (predicted, target))
    known, in_metres = valid.numpy(), model_type is ModelType.METRIC
    scale = scale_of(wanted, known, in_metres=in_metres, colours=ColourMap.TURBO)
    columns = {
        "image": (row.image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(),
        "ground truth": scale.paint(wanted, known),
        "prediction" if in_metres else "prediction, aligned": scale.paint(found),
    }
    shape = (max(1, round(target.shape[1] * _HEIGHT / target.shape[0])), _HEIGHT)
    drawn = []
    for text, picture in columns.items():
        resized = cv2.resize(np.ascontiguousarray(picture), shape, interpolation=cv2.INTER_AREA)
        column = np.vstack([title(text, shape[0], _HEIGHT), np.asarray(resized, dtype=np.uint8)])
        drawn.append(np.pad(column, ((0, 0), (0, _GAP), (0, 0))))
    return beside([*drawn, bar(scale, _HEIGHT)])
