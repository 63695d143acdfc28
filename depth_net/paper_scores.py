"""Scores as papers report them: per image and then averaged, and pooled; in depth and in disparity; by scene and range.

`depth_net.scoring` has the scores of a training's validation. Here the pixels that count, the alignment and the limits
follow from `depth_net.protocols.Rules`. Everything is in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import torch

from depth_net.config.choices import Alignment
from depth_net.metrics import METRICS, Metric, Pixels
from depth_net.model.family import ModelType
from depth_net.scoring import SMALLEST_DISPARITY, align

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from depth_net.protocols import Rules


class Space(StrEnum):
    """What is compared."""

    DEPTH = "depth"
    DISPARITY = "disparity"


def _variance_of_logarithms(mean: Tensor, mean_square: Tensor) -> Tensor:
    return 100 * (mean_square - mean.square()).clamp(min=0).sqrt()


PAPER_METRICS: Final[Mapping[str, Metric]] = {
    **{name: metric for name, metric in METRICS.items() if not metric.of_images},
    "silog_x100": Metric(sums=METRICS["silog"].sums, value=_variance_of_logarithms),
}
"""Those of a validation, and ``silog_x100``, 100 sqrt(mean(d**2) - mean(d)**2), the SILog of the KITTI benchmark."""

_SUMS: Final = tuple((name, at) for name, metric in PAPER_METRICS.items() for at in range(len(metric.sums)))
_EDGES: Final = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0)


@dataclass(slots=True)
class Tally:
    """Sums over images, of which both kinds of mean follow."""

    sums: Tensor = field(default_factory=lambda: torch.zeros(len(_SUMS), dtype=torch.float64))
    image_values: Tensor = field(default_factory=lambda: torch.zeros(len(PAPER_METRICS), dtype=torch.float64))
    images: int = 0
    pixels: int = 0

    def add(self, sums: Tensor, pixels: int) -> None:
        """Add one image that has ``pixels`` > 0 valid pixels."""
        self.sums = self.sums + sums
        self.image_values = self.image_values + torch.stack([*_values(sums / pixels).values()])
        self.images += 1
        self.pixels += pixels

    def pooled(self) -> dict[str, float]:
        """Return the metrics over all pixels of all images; NaN without any."""
        return {name: float(value) for name, value in _values(self.sums / self.pixels).items()}

    def image_mean(self) -> dict[str, float]:
        """Return the mean of the metrics of the images; NaN without any."""
        return dict(zip(PAPER_METRICS, (self.image_values / self.images).tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Ground truth of one image, on the device of the prediction.

    Attributes:
        values: Metres for a metric model, 1/m or pixels of disparity for a relative one; shape (H, W).
        counts: Boolean, same shape: known, and inside the box.
        in_metres: Whether distances in metres follow from the values.
        per_inverse_metre: The value of 1/m, for a relative model.
    """

    values: Tensor
    counts: Tensor
    in_metres: bool = True
    per_inverse_metre: float = 1.0


class PaperScores:
    """Gathers the scores of images under one set of rules.

    Args:
        model_type: The family.
        rules: What counts and how.
        edges: Edges of the ranges of distance, in metres; none means usual ones up to the largest depth.
    """

    def __init__(self, model_type: ModelType, rules: Rules, edges: Sequence[float] = ()) -> None:
        self.model_type = model_type
        self.rules = rules
        self.edges = _edges(edges, rules.max_depth_m)
        self.total: dict[Space, Tally] = {}
        self.by_scene: dict[str, dict[Space, Tally]] = {}
        self.by_range = [Tally() for _ in self.edges[1:]]
        self.skipped = 0
        """Images without a pixel that counts."""

    def update(self, predicted: Tensor, truth: Truth, scene: str = "") -> None:
        """Add one image.

        Args:
            predicted: Output of the model at native size, shape (H, W).
            truth: Its ground truth.
            scene: Under which it is listed; empty for none.
        """
        mask = truth.counts & _within(truth, self.rules, self.model_type)
        pixels = int(mask.sum())
        if not pixels:
            self.skipped += 1
            return
        own, target = predicted.detach()[mask].double(), truth.values[mask].double()
        if self.model_type is ModelType.RELATIVE:
            target = target / truth.per_inverse_metre
        for space, (found, wanted) in self._spaces(own, target, truth).items():
            sums = _sums(found, wanted)
            self.total.setdefault(space, Tally()).add(sums.cpu(), pixels)
            if scene:
                self.by_scene.setdefault(scene, {}).setdefault(space, Tally()).add(sums.cpu(), pixels)
            if space is Space.DEPTH and truth.in_metres:
                self._add_ranges(found, wanted)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; a value that does not exist is NaN."""
        return {
            "protocol": {
                "name": self.rules.name,
                "crop": self.rules.crop.value if self.rules.crop else "of the dataset class",
                "min_depth_m": self.rules.min_depth_m,
                "max_depth_m": self.rules.max_depth_m,
                "includes_limits": self.rules.includes_limits,
                "alignment": str(self.rules.alignment),
                "flip_average": self.rules.flip_average,
                "source": self.rules.source,
            },
            "num_images_scored": max((tally.images for tally in self.total.values()), default=0),
            "num_images_without_valid_pixels": self.skipped,
            "image_mean": {space.value: tally.image_mean() for space, tally in self.total.items()},
            "pooled": {space.value: tally.pooled() for space, tally in self.total.items()},
            "by_scene": {
                scene: {
                    space.value: {"num_images": tally.images, **tally.image_mean()} for space, tally in each.items()
                }
                for scene, each in sorted(self.by_scene.items())
            },
            "by_distance": self._ranges(),
        }

    def headline(self) -> dict[str, float]:
        """Return the mean over images, in depth where there is one, else in disparity; empty without an image."""
        space = Space.DEPTH if Space.DEPTH in self.total else Space.DISPARITY
        return self.total[space].image_mean() if space in self.total else {}

    def _ranges(self) -> list[dict[str, float]]:
        pairs = list(zip(self.edges, self.edges[1:], strict=False))
        total = sum(tally.pixels for tally in self.by_range)
        return [
            {"from_m": low, "to_m": high, "share": tally.pixels / total, **tally.pooled()}
            for (low, high), tally in zip(pairs, self.by_range, strict=True)
            if tally.pixels
        ]

    def _spaces(self, predicted: Tensor, target: Tensor, truth: Truth) -> dict[Space, tuple[Tensor, Tensor]]:
        """Return prediction and target, aligned and clipped, in each space that is defined."""
        alignment, high = self.rules.alignment, self.rules.max_depth_m
        least = SMALLEST_DISPARITY if high is None else 1 / high
        most = 1 / self.rules.min_depth_m if self.rules.min_depth_m and truth.in_metres else None
        if self.model_type is ModelType.METRIC:
            depth = predicted
            if alignment is Alignment.LEAST_SQUARES:
                depth = align(predicted, target, torch.ones_like(target, dtype=torch.bool))
            elif alignment is Alignment.MEDIAN:
                depth = predicted * (_median(target) / _median(predicted))
            depth = depth.clamp(self.rules.min_depth_m, high)
            return {Space.DEPTH: (depth, target), Space.DISPARITY: (1 / depth, 1 / target)}
        disparity = predicted
        if alignment is Alignment.LEAST_SQUARES:
            disparity = align(predicted, target, torch.ones_like(target, dtype=torch.bool))
        elif alignment is Alignment.MEDIAN:
            inverse = 1 / predicted.clamp(min=SMALLEST_DISPARITY)
            disparity = 1 / (inverse * (_median(1 / target) / _median(inverse)))
        disparity = disparity.clamp(least, most)
        floored = target.clamp(min=SMALLEST_DISPARITY)
        spaces = {Space.DISPARITY: (disparity, floored)}
        return spaces if high is None else {Space.DEPTH: (1 / disparity, 1 / floored), **spaces}

    def _add_ranges(self, depth: Tensor, target: Tensor) -> None:
        # Rounding in 1 / (1 / depth) must not put a depth of exactly an edge into the range below.
        index = torch.bucketize(target * (1 + 1e-6), target.new_tensor(self.edges[1:-1]), right=True)
        for at, tally in enumerate(self.by_range):
            chosen = index == at
            count = int(chosen.sum())
            if count:
                tally.add(_sums(depth[chosen], target[chosen]).cpu(), count)


def _within(truth: Truth, rules: Rules, model_type: ModelType) -> Tensor:
    """Return which values lie in the range of the rules; compared as they are stored, without another rounding."""
    low, high = rules.min_depth_m, rules.max_depth_m
    if model_type is ModelType.RELATIVE:
        if not truth.in_metres:
            return torch.ones_like(truth.counts)
        unit = truth.per_inverse_metre
        low, high = (unit / high if high is not None else None), (unit / low if low else None)
    values = truth.values
    within = torch.ones_like(truth.counts)
    if low is not None:
        within &= values >= low if rules.includes_limits else values > low
    if high is not None:
        within &= values <= high if rules.includes_limits else values < high
    return within


def _sums(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the sums of all metrics over the pixels of two vectors in float64."""
    pixels = Pixels(
        target=target,
        error=predicted - target,
        ratio=torch.maximum(predicted / target, target / predicted),
        logarithm=(predicted / target).log(),
        valid=torch.ones_like(target, dtype=torch.bool),
    )
    return torch.stack([PAPER_METRICS[name].sums[at](pixels).double() for name, at in _SUMS])


def _values(means: Tensor) -> dict[str, Tensor]:
    grouped: dict[str, list[Tensor]] = {}
    for (name, _), mean in zip(_SUMS, means, strict=True):
        grouped.setdefault(name, []).append(mean)
    return {name: metric.value(*grouped[name]) for name, metric in PAPER_METRICS.items()}


def _median(values: Tensor) -> Tensor:
    """Return the middle value, or the mean of the middle two."""
    ordered = values.sort().values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _edges(asked: Sequence[float], max_depth_m: float | None) -> tuple[float, ...]:
    chosen = sorted({0.0, *(asked or _EDGES)})
    if max_depth_m is not None:
        chosen = [*(edge for edge in chosen if edge < max_depth_m), max_depth_m]
    return tuple(chosen) if max_depth_m is not None or asked else (*chosen, math.inf)
