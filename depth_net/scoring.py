"""Scores of predicted maps, pooled over all valid pixels of all images of all processes.

Sums are kept in float64 and added over processes, so the values do not depend on how images are distributed. A relative
prediction is first aligned to the ground truth by least squares in disparity space, image by image, in closed form: an
image without a valid pixel adds nothing, a constant prediction becomes the mean of the ground truth, and a prediction
that is not finite makes every metric NaN (the reference then reports d1 = 0, which reads as a poor but real result).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from depth_net.metrics import METRICS, Pixels
from depth_net.model.family import ModelType
from depth_net.pooling import pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    Images = Tensor | Sequence[Tensor]
    """A batch (B, H, W), or one map (H, W) per image."""

SMALLEST_DISPARITY = 1e-8
FLAT = 1e-12
"""A prediction whose variance is at most this share of its mean square counts as constant."""

_COUNTS = ("images", "images_with_valid", "pixels", "valid_pixels")
_SUMS = tuple((name, at) for name, metric in METRICS.items() for at in range(len(metric.sums)))


class DepthMetrics:
    """Accuracy of predicted maps, over all processes of a run.

    Relative models are scored in disparity, so their ``rmse`` has the unit of the ground truth and their ``abs_rel`` is
    not that of papers, which invert to depth first.

    Args:
        model_type: Relative predictions are aligned first, metric ones are not.
        min_depth_m: Metric models only: both maps are clipped to the range, in metres.
        max_depth_m: Metric models only.

    Raises:
        ValueError: the range of a metric model is missing or empty.
    """

    def __init__(
        self, model_type: ModelType, *, min_depth_m: float | None = None, max_depth_m: float | None = None
    ) -> None:
        self.model_type = model_type
        self.limits = _limits(model_type, min_depth_m, max_depth_m)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._sums = torch.zeros(len(_SUMS) + len(_COUNTS), dtype=torch.float64)

    def update(self, predicted: Images, target: Images, valid: Images) -> None:
        """Add images.

        Args:
            predicted: A batch (B, H, W), or a list of maps (H, W) when sizes differ; disparity or metres.
            target: Ground truth of the same shapes, in disparity or metres; read only where ``valid``.
            valid: Boolean, same shapes.

        Raises:
            ValueError: prediction, target and mask of an image differ in shape.
        """
        for one_predicted, one_target, one_valid in zip(predicted, target, valid, strict=True):
            self.add(self.sums_of(one_predicted, one_target, one_valid))

    def add(self, sums: Tensor) -> None:
        """Add the `sums_of` one image."""
        self._sums = self._sums.to(sums.device) + sums

    def compute(self) -> dict[str, Tensor]:
        """Return `METRICS`, ``valid_fraction`` and ``num_images`` as float64 scalars; NaN without a valid pixel."""
        pooled = pool(self._sums)
        sums, counts = pooled[: len(_SUMS)], dict(zip(_COUNTS, pooled[len(_SUMS) :], strict=True))
        means: dict[str, list[Tensor]] = {}
        for (name, _), total in zip(_SUMS, sums, strict=True):
            count = counts["images_with_valid" if METRICS[name].of_images else "valid_pixels"]
            means.setdefault(name, []).append(total / count)
        return {
            **{name: metric.value(*means[name]) for name, metric in METRICS.items()},
            "valid_fraction": counts["valid_pixels"] / counts["pixels"],
            "num_images": counts["images"],
        }

    def sums_of(self, predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Return what one image adds, float64, without waiting for the device.

        Args:
            predicted: Map (H, W), in disparity or metres.
            target: Ground truth of the same shape; read only where ``valid``.
            valid: Boolean, same shape.

        Raises:
            ValueError: prediction, target and mask differ in shape.
        """
        predicted, target, valid = _plane(predicted, target, valid)
        count = valid.sum().double()
        if self.model_type is ModelType.RELATIVE:
            predicted = align(predicted, target, valid)
        image = _pixels(predicted.clamp(*self.limits), target.clamp(*self.limits), valid)
        own = [METRICS[name].sums[at](image) for name, at in _SUMS]
        sums = [
            each / count.clamp(min=1) if METRICS[name].of_images else each.double()
            for each, (name, _) in zip(own, _SUMS, strict=True)
        ]
        counts = [torch.ones_like(count), (count > 0).double(), torch.full_like(count, valid.numel()), count]
        return torch.stack([*sums, *counts])


def _pixels(predicted: Tensor, target: Tensor, valid: Tensor) -> Pixels:
    """Compare two positive maps, shape (H, W), float64; what is not valid counts as equal to 1."""
    one = predicted.new_ones(())
    predicted, target = torch.where(valid, predicted, one), torch.where(valid, target, one)
    return Pixels(
        target=target,
        error=predicted - target,
        ratio=torch.maximum(predicted / target, target / predicted),
        logarithm=(predicted / target).log(),
        valid=valid,
    )


def align(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Apply the scale and shift that bring a map closest to the target on its valid pixels, in least squares.

    Args:
        predicted: Disparity of one image, shape (H, W), float64.
        target: Same shape; read only where ``valid``.
        valid: Boolean, same shape. With no true element the prediction comes back as zeros.

    Returns:
        Shape (H, W). A constant prediction becomes the mean of the valid target. NaN if a valid prediction is NaN.
    """
    count = valid.sum().clamp(min=1)
    mean_predicted = torch.where(valid, predicted, 0.0).sum() / count
    mean_target = torch.where(valid, target, 0.0).sum() / count
    centred = torch.where(valid, predicted - mean_predicted, 0.0)
    variance = centred.square().sum() / count
    covariance = (centred * torch.where(valid, target - mean_target, 0.0)).sum() / count
    varies = ~(variance <= FLAT * mean_predicted.square())
    scale = torch.where(varies, covariance / variance, 0.0)
    return torch.where(varies, scale * (predicted - mean_predicted), 0.0) + mean_target


def _limits(model_type: ModelType, min_depth_m: float | None, max_depth_m: float | None) -> tuple[float, float | None]:
    if model_type is ModelType.RELATIVE:
        return SMALLEST_DISPARITY, None
    if min_depth_m is None or max_depth_m is None or not 0 < min_depth_m < max_depth_m:
        raise ValueError(f"metric depth needs 0 < min_depth < max_depth in metres; found {min_depth_m}, {max_depth_m}")
    return min_depth_m, max_depth_m


def _plane(predicted: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One image as two float64 maps and a mask, all of shape (H, W)."""
    height, width = predicted.shape[-2:]
    if predicted.numel() != height * width or target.shape[-2:] != (height, width) or target.shape != valid.shape:
        shapes = f"{tuple(predicted.shape)}, {tuple(target.shape)} and {tuple(valid.shape)}"
        raise ValueError(f"prediction, target and mask of one image must have one shape (H, W); found {shapes}")
    shape = (height, width)
    return predicted.detach().double().reshape(shape), target.double().reshape(shape), valid.bool().reshape(shape)
