"""From the padded output of a batch back to the size of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def restore_native_size(predicted: Tensor, resized: Sequence[int], native: Sequence[int]) -> Tensor:
    """Cut the padding off one prediction and enlarge it to the size of its image.

    Args:
        predicted: Prediction of one image, shape (H, W), padded at the bottom and the right.
        resized: [height, width] before padding, at most (H, W).
        native: [height, width] of the image on disk.

    Returns:
        Shape `native`, bilinear with aligned corners as the published model does it; differentiable.
    """
    inner = predicted[None, None, : resized[0], : resized[1]]
    return functional.interpolate(inner, size=(native[0], native[1]), mode="bilinear", align_corners=True)[0, 0]
