"""From the output of the model to the size of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def restore_native_size(predicted: Tensor, native: Sequence[int]) -> Tensor:
    """Enlarge one prediction to the size of its image.

    Args:
        predicted: Prediction of one image, shape (H, W).
        native: [height, width] of the image on disk.

    Returns:
        Shape `native`, bilinear with aligned corners as the published model does it; differentiable.
    """
    size = (native[0], native[1])
    return predicted if predicted.shape == size else restore_native_sizes(predicted[None], size)[0]


def restore_native_sizes(predicted: Tensor, native: Sequence[int]) -> Tensor:
    """Do the same to predictions of images of one size, shape (B, H, W); `torch` traces it for any size."""
    size = (native[0], native[1])
    return functional.interpolate(predicted[:, None], size=size, mode="bilinear", align_corners=True)[:, 0]
