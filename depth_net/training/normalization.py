"""Images of 8 bits as the input of the model, made where the model is: a quarter of the bytes is loaded and copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from typing_extensions import override

from depth_net.data.transforms import normalization_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Normalization(nn.Module):
    """Gives to the bit what `depth_net.data.transforms.normalize_image` gives: it looks up the same values.

    Args:
        mean: Mean of the red, green and blue values in [0, 1].
        std: Their standard deviation.
    """

    _levels: Tensor
    _rows: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        levels = torch.from_numpy(normalization_table(tuple(mean), tuple(std)))
        self.register_buffer("_levels", levels.clone(), persistent=False)
        self.register_buffer("_rows", 256 * torch.arange(3).reshape(3, 1, 1), persistent=False)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Return float32 for images of 8 bits, shape (B, 3, H, W)."""
        return torch.take(self._levels, image + self._rows)
