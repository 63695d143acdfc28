"""Every metric of a validation: its formula and its direction. A new metric is one more entry of `METRICS`.

PyTorch is not imported here, so that a spec can be checked without it; sums over images and processes are in
`depth_net.scoring`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

DELTA: Final = 1.25
_SILOG_MEAN_WEIGHT: Final = 0.5
_PREFIX: Final = "val/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """One image as a metric reads it: float64 maps of shape (H, W), in metres or disparity.

    Attributes:
        target: Ground truth, > 0; 1 where not valid.
        error: Prediction minus target; 0 where not valid.
        ratio: The larger of prediction and target over the smaller one, >= 1; 1 where not valid.
        logarithm: log(prediction / target); 0 where not valid.
        valid: Boolean.
    """

    target: Tensor
    error: Tensor
    ratio: Tensor
    logarithm: Tensor
    valid: Tensor


def _first(*means: Tensor) -> Tensor:
    return means[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        sums: Sums over the pixels of an image, scalars, to which pixels that are not valid add 0.
        value: The metric as a function of the sums over all images, each divided by the number of valid pixels.
        higher_is_better: Direction.
        of_images: Divide the sums by the valid pixels of each image and average over images instead of pixels.
    """

    sums: tuple[Callable[[Pixels], Tensor], ...]
    value: Callable[..., Tensor] = _first
    higher_is_better: bool = False
    of_images: bool = False


def _below(power: int) -> Callable[[Pixels], Tensor]:
    """Count pixels whose ratio is below 1.25**power; NaN when a valid prediction is NaN."""

    def count(image: Pixels) -> Tensor:
        not_a_number = image.ratio.where(image.ratio.isnan(), image.ratio.new_zeros(()))
        return ((image.ratio < DELTA**power) & image.valid).sum() + not_a_number.sum()

    return count


def _silog(mean: Tensor, mean_square: Tensor) -> Tensor:
    """Scale-invariant logarithmic error: sqrt(mean(d**2) - 0.5 * mean(d)**2) of d = log(prediction / target)."""
    return (mean_square - _SILOG_MEAN_WEIGHT * mean.square()).clamp(min=0).sqrt()


METRICS: Final[Mapping[str, Metric]] = {
    "d1": Metric(sums=(_below(1),), higher_is_better=True),
    "d2": Metric(sums=(_below(2),), higher_is_better=True),
    "d3": Metric(sums=(_below(3),), higher_is_better=True),
    "abs_rel": Metric(sums=(lambda image: (image.error.abs() / image.target).sum(),)),
    "sq_rel": Metric(sums=(lambda image: (image.error.square() / image.target).sum(),)),
    "rmse": Metric(sums=(lambda image: image.error.square().sum(),), value=lambda mean: mean.sqrt()),
    "rmse_log": Metric(sums=(lambda image: image.logarithm.square().sum(),), value=lambda mean: mean.sqrt()),
    "log10": Metric(sums=(lambda image: image.logarithm.abs().sum() / math.log(10),)),
    "silog": Metric(
        sums=(lambda image: image.logarithm.sum(), lambda image: image.logarithm.square().sum()), value=_silog
    ),
    "d1_image_mean": Metric(sums=(_below(1),), higher_is_better=True, of_images=True),
}
"""Metrics by name, in the order of the status file.

Source: Eigen et al. 2014 (arXiv:1406.2283); d1 to d3 are its delta thresholds.
"""

_ACCURACIES: Final = tuple(_PREFIX + name for name, metric in METRICS.items() if metric.higher_is_better)
_ERRORS: Final = tuple(_PREFIX + name for name, metric in METRICS.items() if not metric.higher_is_better)
BEST_METRICS: Final = (*_ACCURACIES, f"{_PREFIX}loss", *_ERRORS)
"""Values of a validation that can select the best checkpoint."""


def is_higher_better(name: str) -> bool:
    """Tell whether a larger value of one of `BEST_METRICS` is a better one."""
    return name in _ACCURACIES
