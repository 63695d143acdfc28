"""The training losses, as pure functions of float32 maps.

Neither waits for the device: a batch without a valid pixel gives a loss of exactly 0 with zero gradients instead of a
branch on the host. Averages run over the valid pixels of the whole batch, as in the reference, not per image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Callable

    from depth_net.config.choices import RelativeLoss

GRADIENT_WEIGHT = 2.0
SCALES = 4
SMALLEST_DEPTH_M = 1e-6
"""Predictions below a micrometre count as one; a sigmoid that underflows to 0 would make the logarithm infinite."""
FLAT = 1e-12
"""A prediction whose variance is at most this share of its mean square is constant within float32 rounding."""


def loss_of(
    model_type: ModelType, relative_loss: RelativeLoss = "least_squares"
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return the loss of a family: `silog` for metric models, for relative ones the one that is named."""
    match model_type:
        case ModelType.RELATIVE:
            return normalized_l1 if relative_loss == "normalized_l1" else scale_and_shift_invariant
        case ModelType.METRIC:
            return silog


def scale_and_shift_invariant(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Distance between two disparity maps after the best scale and shift per image.

    With ``D = s * predicted + b - target`` on valid pixels and 0 elsewhere, and ``N`` the number of valid pixels:
    ``sum(D**2) / (2 N) + 2 * sum over strides 1, 2, 4, 8 of sum(|dx D| + |dy D|) / N_stride``. A difference counts
    where both neighbours are valid. Gradients flow through ``s`` and ``b``. Not invariant to the scale of the target.

    Args:
        predicted: Disparity, shape (B, H, W).
        target: Disparity, same shape; read only where ``valid``.
        valid: Boolean, same shape; may be all false for some images or for all.

    Returns:
        Scalar >= 0 in squared units of the target; 0 when nothing is valid.

    Source: Ranftl et al. 2019 (arXiv:1907.01341), equations for the scale- and shift-invariant trimmed-free loss and
    the multi-scale gradient term, with the weights of the container's trainer.
    """
    mask = valid.to(predicted.dtype)
    wanted = torch.where(valid, target, 0.0).to(predicted.dtype)
    scale, shift = _scale_and_shift(predicted, wanted, mask)
    difference = mask * (scale[:, None, None] * predicted + shift[:, None, None] - wanted)
    loss = difference.square().sum() / (2 * mask.sum()).clamp(min=1)
    for level in range(SCALES):
        stride = 2**level
        steps = _sum_of_steps(difference[:, ::stride, ::stride], mask[:, ::stride, ::stride])
        loss = loss + GRADIENT_WEIGHT * steps
    return loss


def normalized_l1(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of two disparity maps, each normalised by its own shift and scale per image.

    ``mean |n(predicted) - n(target)|`` over all valid pixels of the batch, with ``n(d) = (d - t) / s``, ``t`` the
    median of ``d`` over the valid pixels of its image and ``s`` their mean absolute deviation from it. Unlike
    `scale_and_shift_invariant` it does not depend on the scale of the target, and one wrong pixel weighs like another.

    Args:
        predicted: Disparity, shape (B, H, W).
        target: Disparity, same shape; read only where ``valid``.
        valid: Boolean, same shape; images without a valid pixel, or whose target is constant, add nothing.

    Returns:
        Scalar >= 0, dimensionless, 1 for a constant prediction; 0 when nothing is valid.

    Source: the affine-invariant loss of MiDaS (arXiv:1907.01341) and Depth Anything (arXiv:2401.10891).
    """
    wanted, varies = _normalized(target.to(predicted.dtype), valid)
    counted = valid & varies[:, None, None]
    found, _ = _normalized(predicted, counted)
    difference = torch.where(counted, found - wanted, 0.0)
    return difference.abs().sum() / counted.sum().clamp(min=1)


def _normalized(disparity: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """The map less its median over its mean absolute deviation, 0 where not valid; whether it varies, shape (B,)."""
    count = valid.sum((1, 2)).clamp(min=1)
    median = torch.where(valid, disparity, torch.nan).flatten(1).nanmedian(dim=1).values.nan_to_num(0.0)
    centred = torch.where(valid, disparity - median[:, None, None], 0.0)
    scale = centred.abs().sum((1, 2)) / count
    varies = ~(scale <= FLAT**0.5 * median.abs())  # negated so that a NaN prediction is not flat and reaches the loss
    return centred * torch.where(varies, 1 / torch.where(varies, scale, 1.0), 0.0)[:, None, None], varies


def silog(predicted_m: Tensor, target_m: Tensor, valid: Tensor, *, mean_weight: float = 0.5) -> Tensor:
    """Scale-invariant logarithmic error between two depth maps, as variance plus a share of the squared mean.

    ``var(d) + mean_weight * mean(d)**2`` with ``d = log(predicted) - log(target)`` over all valid pixels of the batch
    and the unbiased variance. No square root, unlike the published trainer.

    Args:
        predicted_m: Depth in metres, >= 0, shape (B, H, W); values below 1e-6 count as 1e-6.
        target_m: Depth in metres, > 0 where valid, same shape; read only where ``valid``.
        valid: Boolean, same shape; may be all false.
        mean_weight: 0 ignores a common factor between the maps, 1 counts it fully.

    Returns:
        Scalar >= 0, dimensionless; 0 when nothing is valid, and the mean part alone for one valid pixel.

    Source: Eigen et al. 2014 (arXiv:1406.2283), in the form of the container's trainer.
    """
    ones = torch.ones_like(predicted_m)
    ratio = torch.where(valid, predicted_m.clamp(min=SMALLEST_DEPTH_M), ones) / torch.where(valid, target_m, ones)
    logarithm = ratio.log()
    count = valid.sum()
    mean = logarithm.sum() / count.clamp(min=1)
    deviation = torch.where(valid, logarithm - mean, 0.0)
    return deviation.square().sum() / (count - 1).clamp(min=1) + mean_weight * mean.square()


def _scale_and_shift(predicted: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares scale and shift per image, shape (B,) each; both 0 where the prediction is flat or nothing valid.

    Centred sums instead of the determinant of raw ones: the same numbers, without cancelling digits in float32.
    """
    count = mask.sum((1, 2)).clamp(min=1)
    mean_predicted = (mask * predicted).sum((1, 2)) / count
    mean_target = (mask * target).sum((1, 2)) / count
    centred = mask * (predicted - mean_predicted[:, None, None])
    variance = centred.square().sum((1, 2)) / count
    covariance = (centred * (target - mean_target[:, None, None])).sum((1, 2)) / count
    # Negated so that a NaN prediction is not flat and reaches the loss.
    varies = ~(variance <= FLAT * mean_predicted.square())
    scale = torch.where(varies, covariance / torch.where(varies, variance, 1.0), 0.0)
    return scale, torch.where(varies, mean_target - scale * mean_predicted, 0.0)


def _sum_of_steps(difference: Tensor, mask: Tensor) -> Tensor:
    """Absolute steps between valid neighbours, over the number of valid pixels. Scalar."""
    down = (difference[:, 1:] - difference[:, :-1]).abs() * mask[:, 1:] * mask[:, :-1]
    across = (difference[:, :, 1:] - difference[:, :, :-1]).abs() * mask[:, :, 1:] * mask[:, :, :-1]
    return (down.sum() + across.sum()) / mask.sum().clamp(min=1)
