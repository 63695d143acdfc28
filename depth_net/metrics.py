"""Validation metrics, pooled over all valid pixels of all images of all ranks.

Sums are kept in float64 and added over ranks, so the values do not depend on how images are spread. A relative
prediction is first aligned to the ground truth by least squares in disparity space, image by image, in closed form: an
image without a valid pixel adds nothing, a constant prediction becomes the mean of the ground truth, and a prediction
that is not finite makes every metric NaN (the reference then reports d1 = 0, which reads as a poor but real result).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from depth_net.model.family import ModelType
from depth_net.pooling import pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    Images = Tensor | Sequence[Tensor]
    """A batch (B, H, W), or one map (H, W) per image."""

SMALLEST_DISPARITY = 1e-8
DELTA = 1.25
SILOG_MEAN_WEIGHT = 0.5
FLAT = 1e-12
"""A prediction whose variance is at most this share of its mean square counts as constant."""

_PIXEL_SUMS = ("d1", "d2", "d3", "abs_rel", "sq_rel", "squared", "log10", "log", "log_squared")
_SUMS = (*_PIXEL_SUMS, "d1_of_images", "images", "images_with_valid", "pixels", "valid_pixels")


class DepthMetrics:
    """Accuracy of predicted maps, over all processes of a run.

    `compute()` gives ``d1 d2 d3 abs_rel rmse sq_rel log10 silog d1_image_mean valid_fraction num_images``. Relative
    models are scored in disparity, so their ``rmse`` has the unit of the ground truth and their ``abs_rel`` is not that
    of papers, which invert to depth first.

    Args:
        model_type: Relative predictions are aligned first, metric ones are not.
        min_depth_m: Metric only: both maps are clipped to the range, in metres.
        max_depth_m: Metric only.
    """

    def __init__(
        self, model_type: ModelType, *, min_depth_m: float | None = None, max_depth_m: float | None = None
    ) -> None:
        self.model_type = model_type
        self.limits = _limits(model_type, min_depth_m, max_depth_m)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._sums = torch.zeros(len(_SUMS), dtype=torch.float64)

    def update(self, predicted: Images, target: Images, valid: Images) -> None:
        """Add images.

        Args:
            predicted: A batch (B, H, W), or a list of maps (H, W) when sizes differ; disparity or metres.
            target: Ground truth of the same shapes, in disparity or metres; read only where ``valid``.
            valid: Boolean, same shapes.
        """
        for one_predicted, one_target, one_valid in zip(predicted, target, valid, strict=True):
            self._add(*_plane(one_predicted, one_target, one_valid))

    def compute(self) -> dict[str, Tensor]:
        """Return every metric by name, as float64 scalars; NaN where there was no valid pixel."""
        sums = dict(zip(_SUMS, pool(self._sums), strict=True))
        count = sums["valid_pixels"]
        means = {name: sums[name] / count for name in _PIXEL_SUMS}
        spread = means["log_squared"] - SILOG_MEAN_WEIGHT * means["log"].square()
        return {
            **{name: means[name] for name in ("d1", "d2", "d3", "abs_rel")},
            "rmse": means["squared"].sqrt(),
            "sq_rel": means["sq_rel"],
            "log10": means["log10"],
            "silog": spread.clamp(min=0).sqrt(),
            "d1_image_mean": sums["d1_of_images"] / sums["images_with_valid"],
            "valid_fraction": count / sums["pixels"],
            "num_images": sums["images"],
        }

    def _add(self, predicted: Tensor, target: Tensor, valid: Tensor) -> None:
        count = valid.sum().double()
        if self.model_type is ModelType.RELATIVE:
            predicted = align(predicted, target, valid)
        sums = pixel_sums(predicted.clamp(*self.limits), target.clamp(*self.limits), valid)
        sums |= {
            "d1_of_images": sums["d1"] / count.clamp(min=1),
            "images": torch.ones_like(count),
            "images_with_valid": (count > 0).double(),
            "pixels": torch.full_like(count, valid.numel()),
            "valid_pixels": count,
        }
        added = torch.stack([sums[name] for name in _SUMS])
        self._sums = self._sums.to(added.device) + added


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


def pixel_sums(predicted: Tensor, target: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Sums over the valid pixels of one image, from which every pooled metric follows.

    Args:
        predicted: Positive map, shape (H, W), float64.
        target: Positive map, same shape; read only where ``valid``.
        valid: Boolean, same shape.

    Returns:
        Float64 scalars by name. ``d1`` to ``d3`` count pixels whose ratio to the target, either way up, is below
        1.25, 1.25**2 and 1.25**3; NaN when a valid prediction is NaN.
    """
    one = predicted.new_ones(())
    predicted, target = torch.where(valid, predicted, one), torch.where(valid, target, one)
    logarithm = (predicted / target).log()
    error = predicted - target
    ratio = torch.maximum(predicted / target, target / predicted)
    taint = torch.where(ratio.isnan(), ratio, 0.0).sum()
    within = {f"d{power}": ((ratio < DELTA**power) & valid).sum() + taint for power in (1, 2, 3)}
    return {
        **within,
        "abs_rel": (error.abs() / target).sum(),
        "sq_rel": (error.square() / target).sum(),
        "squared": error.square().sum(),
        "log10": logarithm.abs().sum() / torch.log(predicted.new_tensor(10.0)),
        "log": logarithm.sum(),
        "log_squared": logarithm.square().sum(),
    }


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
