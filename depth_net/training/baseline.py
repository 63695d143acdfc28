"""What a prediction that knows nothing scores on the validation images, and whether a model has become one.

Gathered during the first validation, without reading the images again. Metric: the constant is the exponential of the
mean logarithm of all valid depths; its d1 comes from a histogram of logarithms, whose bins are 0.014 % wide. Relative:
any constant, which alignment turns into the mean of each image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torchmetrics import Metric

from depth_net.metrics import DELTA
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from torch import Tensor

_BINS: Final = 1 << 16
_FLAT: Final = 1e-3
"""Standard deviation over mean, within each image, under which a prediction counts as constant."""


class ConstantBaseline(Metric):
    """Gathers the valid ground truth of a split; ``compute()`` is the d1 of a constant.

    Args:
        model_type: The family.
        min_depth_m: Smallest depth in metres; metric only.
        max_depth_m: Largest depth in metres; metric only.
    """

    full_state_update = False
    histogram: Tensor
    within: Tensor
    count: Tensor

    def __init__(self, model_type: ModelType, *, min_depth_m: float, max_depth_m: float) -> None:
        super().__init__()
        self.model_type = model_type
        self._limits = (math.log(min_depth_m), math.log(max_depth_m))
        self.add_state("histogram", default=torch.zeros(_BINS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("within", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

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
            self.histogram = self.histogram + torch.bincount(index, minlength=_BINS)
            return
        values = values.clamp(min=1e-8)
        ratio = values / values.mean()
        self.within = self.within + (torch.maximum(ratio, 1 / ratio) < DELTA).sum()
        self.count = self.count + values.numel()

    def compute(self) -> Tensor:
        """Return d1 of the constant in 0..1; NaN without a valid pixel."""
        if self.model_type is ModelType.RELATIVE:
            return self.within / self.count
        low, high = self._limits
        centres = low + (torch.arange(_BINS, device=self.histogram.device, dtype=torch.float64) + 0.5) * (
            (high - low) / _BINS
        )
        total = self.histogram.sum()
        constant = (self.histogram * centres).sum() / total
        near = (centres - constant).abs() < math.log(DELTA)
        return (self.histogram * near).sum() / total


class OutputSpread(Metric):
    """Largest spread of a prediction within any image: standard deviation over mean."""

    full_state_update = False
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("spread", default=torch.zeros(()), dist_reduce_fx="max")

    def update(self, predicted: Tensor) -> None:
        """Add predictions of shape (B, H, W); a NaN counts as spread, because it is told elsewhere."""
        flat = predicted.float().flatten(1)
        mean = flat.mean(1)
        spread = torch.where(mean == 0, flat.std(1), flat.std(1) / mean.abs().clamp(min=1e-12))
        self.spread = torch.maximum(self.spread, spread.nan_to_num(1.0).max())

    def compute(self) -> Tensor:
        """Return the largest spread seen, >= 0."""
        return self.spread


def is_constant(spread: float) -> bool:
    """Tell whether a model whose largest spread is ``spread`` predicts a constant for every image."""
    return spread < _FLAT
