"""What a constant prediction scores, computed by really predicting it: the oracle for the trainer's histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from depth_net.model.family import ModelType
from depth_net.scoring import DepthMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


def score_constant(
    targets: Sequence[tuple[Tensor, Tensor]],
    model_type: ModelType,
    *,
    min_depth_m: float | None = None,
    max_depth_m: float | None = None,
) -> Mapping[str, float]:
    """Score the best fair constant.

    Relative: any constant. Metric: the exponential of the mean logarithm of all valid depths, the constant with the
    least squared logarithmic error.

    Args:
        targets: Ground truth and valid mask per image, shape (H, W) each.
        model_type: The family.
        min_depth_m: As for `DepthMetrics`.
        max_depth_m: As for `DepthMetrics`.
    """
    metrics = DepthMetrics(model_type, min_depth_m=min_depth_m, max_depth_m=max_depth_m)
    constant = 1.0
    if model_type is ModelType.METRIC:
        depths = torch.cat([target[valid].double().clamp(*metrics.limits) for target, valid in targets])
        constant = float(depths.log().mean().exp()) if depths.numel() else 1.0
    for target, valid in targets:
        metrics.update([torch.full_like(target, constant)], [target], [valid])
    return {name: float(value) for name, value in metrics.compute().items()}
