"""Prediction of large images in tiles: details of parts at full size, distances of the whole.

A tile sees no context, so its own scale is not trusted: each tile is fitted to the prediction of the whole image by
scale and shift, in what the model predicts (metres or disparity), and tiles are blended where they overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from depth_net.scoring import align

if TYPE_CHECKING:
    from torch import Tensor

    from depth_net.model.depth_anything import DepthAnything

_OVERLAP: Final = 0.25
"""Of the side of a tile."""


@torch.inference_mode()
def refine(model: DepthAnything, image: Tensor, whole: Tensor, tile: tuple[int, int], batch_size: int) -> Tensor:
    """Return a prediction with the details of tiles; ``whole`` itself where the image is no larger than one.

    Args:
        model: In evaluation mode.
        image: Normalised, at native size, shape (3, H, W), on the model's device.
        whole: Prediction for the whole image, shape (H, W), on the same device.
        tile: Height and width, multiples of 14.
        batch_size: Tiles at once.
    """
    height, width = whole.shape
    if height <= tile[0] or width <= tile[1]:
        return whole
    corners = [(top, left) for top in starts(height, tile[0]) for left in starts(width, tile[1])]
    total, weights = torch.zeros_like(whole, dtype=torch.float64), torch.zeros_like(whole, dtype=torch.float64)
    fade = _fade(tile).to(whole.device)
    for first in range(0, len(corners), batch_size):
        windows = [
            (slice(top, top + tile[0]), slice(left, left + tile[1]))
            for top, left in corners[first : first + batch_size]
        ]
        predicted = model(torch.stack([image[:, rows, columns] for rows, columns in windows]))
        for window, own in zip(windows, predicted, strict=True):
            total[window] += fade * _fit(own.double(), whole[window].double())
            weights[window] += fade
    limit = model.max_depth_m
    return (total / weights).clamp(0, limit).to(whole.dtype)


def starts(length: int, tile: int) -> list[int]:
    """Return where tiles begin that cover a length and overlap by a quarter or more."""
    count = 1 + int(np.ceil((length - tile) / (tile * (1 - _OVERLAP))))
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _fit(own: Tensor, whole: Tensor) -> Tensor:
    """Fit a tile to the whole; a tile that contradicts it is replaced by it."""
    centred = (own - own.mean()) * (whole - whole.mean())
    return align(own, whole, torch.ones_like(own, dtype=torch.bool)) if float(centred.sum()) > 0 else whole


def _fade(tile: tuple[int, int]) -> Tensor:
    """Return weights that fall towards the edges, shape ``tile``, above 0."""
    ramps = []
    for side in tile:
        distance = torch.arange(1, side + 1, dtype=torch.float64).minimum(torch.arange(side, 0, -1))
        ramps.append((distance / (side * _OVERLAP)).clamp(max=1))
    return ramps[0][:, None] * ramps[1][None]
