"""Pictures to look at: input, ground truth and prediction of a few fixed validation images, side by side.

Both maps of a row share one scale, that of the valid ground truth; near is red in both families. A relative prediction
is first aligned to the ground truth, as its metrics are. Pixels without ground truth are black in the middle column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

from depth_net.actions.side_by_side import write_picture
from depth_net.model.family import ModelType
from depth_net.scoring import align

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

Picture = npt.NDArray[np.uint8]

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
    """Write a PNG with one line per image: input, ground truth, prediction.

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
    write_picture(path, np.concatenate(padded)[:-_GAP, :, ::-1])


def _line(row: PanelRow, model_type: ModelType) -> Picture:
    target, valid = row.target.double(), row.valid.bool()
    predicted = row.predicted.double()
    if model_type is ModelType.RELATIVE:
        predicted = align(predicted, target, valid)
    if model_type is ModelType.METRIC:
        # Disparity, so that near is large in both families.
        target, predicted = 1 / target.clamp(min=1e-3), 1 / predicted.clamp(min=1e-3)
    known = target[valid]
    low, high = (float(known.min()), float(known.max())) if known.numel() else (0.0, 1.0)
    pictures = [_rgb(row.image), _colours(target, low, high, valid), _colours(predicted, low, high, None)]
    shape = (max(1, round(target.shape[1] * _HEIGHT / target.shape[0])), _HEIGHT)
    gap = np.zeros((_HEIGHT, _GAP, 3), dtype=np.uint8)
    resized = [cv2.resize(picture, shape, interpolation=cv2.INTER_AREA) for picture in pictures]
    return np.concatenate([resized[0], gap, resized[1], gap, resized[2]], axis=1)


def _rgb(image: Tensor) -> Picture:
    """Return an RGB image in 0..1 as the BGR bytes that OpenCV writes."""
    bytes_ = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(bytes_[:, :, ::-1])


def _colours(values: Tensor, low: float, high: float, valid: Tensor | None) -> Picture:
    scaled = ((values - low) / max(high - low, 1e-12)).nan_to_num(0.0).clamp(0, 1)
    levels = (scaled * 255).round().to(torch.uint8).numpy()
    coloured = np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), dtype=np.uint8)
    if valid is not None:
        coloured[~valid.numpy()] = 0
    return coloured
