"""The score of a constant prediction on the validation images, and whether a model predicts a constant.

Gathered during the first validation, without reading the images again. Metric: the constant is the exponential of the
mean logarithm of all valid depths; its d1 comes from a histogram of logarithms, whose bins are 0.014 % wide. Relative:
any constant, which alignment turns into the mean of each image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch

from depth_net.metrics import DELTA
from depth_net.model.family import ModelType
from depth_net.pooling import pool

if TYPE_CHECKING:
    from torch import Tensor

_BINS: Final = 1 << 16
_LEARNED: Final = 0.1
"""Share of the way from the constant's d1 to 1 under which a model counts as close to it."""
_FLAT: Final = 1e-3
"""Standard deviation over mean, within each image, under which a prediction counts as constant."""


class ConstantBaseline:
    """Gathers the valid ground truth of a split; ``compute()`` is the d1 of a constant.

    Args:
        model_type: The family.
        min_depth_m: Smallest depth in metres; metric only.
        max_depth_m: Largest depth in metres; metric only.
    """

    def __init__(self, model_type: ModelType, *, min_depth_m: float, max_depth_m: float) -> None:
        self.model_type = model_type
        self._limits = (math.log(min_depth_m), math.log(max_depth_m))
        self._histogram = torch.zeros(_BINS, dtype=torch.float64)
        self._near = torch.zeros(2, dtype=torch.float64)
        """Valid pixels of relative ground truth near the mean of their image, and all of them."""

    def update(self, target: Tensor, valid: Tensor) -> None:
        """Add one image.

        Args:
            target: Disparity or metres, any shape.
            valid: Boolean, same shape.
        """
        values = target[valid].double()
        if not values.numel():
            return
        if self.model_type is ModelType.METRIC:
            low, high = self._limits
            place = (values.log() - low) / (high - low) * _BINS
            index = place.long().clamp(0, _BINS - 1)
            self._histogram = self._histogram.to(index.device) + torch.bincount(index, minlength=_BINS)
            return
        values = values.clamp(min=1e-8)
        ratio = values / values.mean()
        within = (torch.maximum(ratio, 1 / ratio) < DELTA).sum().double()
        self._near = self._near.to(within.device) + torch.stack((within, torch.full_like(within, values.numel())))

    def compute(self) -> Tensor:
        """Return d1 of the constant in 0..1; NaN without a valid pixel."""
        if self.model_type is ModelType.RELATIVE:
            near = pool(self._near)
            return near[0] / near[1]
        low, high = self._limits
        histogram = pool(self._histogram)
        places = torch.arange(_BINS, device=histogram.device, dtype=torch.float64)
        centres = low + (places + 0.5) * ((high - low) / _BINS)
        total = histogram.sum()
        constant = (histogram * centres).sum() / total
        is_near = (centres - constant).abs() < math.log(DELTA)
        return (histogram * is_near).sum() / total


class OutputSpread:
    """Largest spread of a prediction within any image: standard deviation over mean."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._spread = torch.zeros(())

    def update(self, predicted: Tensor) -> None:
        """Add predictions of shape (B, H, W); a NaN counts as spread, because other checks report it."""
        flat = predicted.float().flatten(1)
        mean = flat.mean(1)
        spread = torch.where(mean == 0, flat.std(1), flat.std(1) / mean.abs().clamp(min=1e-12))
        self._spread = torch.maximum(self._spread.to(spread.device), spread.nan_to_num(1.0).max())

    def compute(self) -> Tensor:
        """Return the largest spread seen, >= 0."""
        return pool(self._spread, largest=True)


def is_constant(spread: float) -> bool:
    """Tell whether a model whose largest spread is ``spread`` predicts a constant for every image."""
    return spread < _FLAT


def is_near_constant(d1: float, d1_constant: float) -> bool:
    """Tell whether a d1 is no better, or hardly better, than that of a constant prediction; not for NaN."""
    return d1 < d1_constant + _LEARNED * (1 - d1_constant)
