"""Random flips, colours and magnification of training samples; off unless a spec turns them on.

The container ignores these keys, and its templates carry probabilities such as 0.5, so a spec must say ``enabled:
true`` before any of them acts. Each draw comes from a generator that the caller seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from depth_net.data.transforms import Planes
from depth_net.errors import SpecError

if TYPE_CHECKING:
    from depth_net.data.readers import ImageArray

_HUE_LEVELS = 180
"""OpenCV counts hue of 8 bit images in steps of 2 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationSettings:
    """What may happen to a training sample, in the keys of ``dataset.train_dataset.augmentation``."""

    enabled: bool = False
    """Master switch; without it nothing below acts."""
    h_flip_prob: float = 0.0
    v_flip_prob: float = 0.0
    color_aug_prob: float = 0.0
    color_aug_brightness: float = 0.4
    """Brightness is multiplied by a factor in 1 -+ this."""
    color_aug_contrast: float = 0.4
    """Contrast around the mean grey is multiplied by a factor in 1 -+ this."""
    color_aug_saturation: tuple[float, float] = (0.0, 1.4)
    """Range of the factor of saturation."""
    color_aug_hue_range: tuple[float, float] = (-5 / 180, 5 / 180)
    """Range of the turn of the hue, in turns of 180 OpenCV steps."""
    spatial_aug_prob: float = 1.0
    """Probability of a random magnification, if min_scale and max_scale allow one."""
    min_scale: float = 0.0
    max_scale: float = 0.0
    """Magnification is 2 to a power in [min_scale, max_scale], but at least 1: less would not cover the crop."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be drawn from, all at once."""
        shares = ("h_flip_prob", "v_flip_prob", "color_aug_prob", "spatial_aug_prob")
        amounts = ("color_aug_brightness", "color_aug_contrast")
        problems = [
            f"{name}: found {getattr(self, name)}, expected a number in [0, 1]"
            for name in (*shares, *amounts)
            if not 0 <= getattr(self, name) <= 1
        ]
        ranges = {
            "min_scale, max_scale": (self.min_scale, self.max_scale),
            "color_aug_saturation": self.color_aug_saturation,
            "color_aug_hue_range": self.color_aug_hue_range,
        }
        problems += [
            f"{name}: found {low} and {high}, expected the smaller number first"
            for name, (low, high) in ranges.items()
            if low > high
        ]
        if problems and self.enabled:
            raise SpecError("dataset.train_dataset.augmentation: " + "; ".join(problems))

    @property
    def changes_size(self) -> bool:
        """Whether images are magnified at random."""
        return self.enabled and self.max_scale > 0 and self.spatial_aug_prob > 0

    def draw_zoom(self, random: np.random.Generator) -> float:
        """Draw the magnification of one sample, >= 1; 1 without a draw when nothing is magnified."""
        if not self.changes_size:
            return 1.0
        exponent = random.uniform(self.min_scale, self.max_scale)
        return max(1.0, float(2.0**exponent)) if random.random() < self.spatial_aug_prob else 1.0


def augment(planes: Planes, settings: AugmentationSettings, random: np.random.Generator) -> Planes:
    """Flip and recolour one sample; returns new arrays or views, never writes into ``planes``."""
    if not settings.enabled:
        return planes
    # All draws happen whatever the outcome, so that one probability does not shift the randomness of the next.
    flip_columns, flip_rows, recolor = random.random(3) < (
        settings.h_flip_prob,
        settings.v_flip_prob,
        settings.color_aug_prob,
    )
    rows = slice(None, None, -1 if flip_rows else 1)
    columns = slice(None, None, -1 if flip_columns else 1)
    flipped = Planes(planes.image[rows, columns], planes.target[rows, columns], planes.valid[rows, columns])
    if not recolor:
        return flipped
    return Planes(jitter_colors(flipped.image, settings, random), flipped.target, flipped.valid)


def jitter_colors(image: ImageArray, settings: AugmentationSettings, random: np.random.Generator) -> ImageArray:
    """Change brightness, contrast, saturation and hue by random amounts within ``settings``; shape and type stay."""
    brightness = 1.0 + random.uniform(-settings.color_aug_brightness, settings.color_aug_brightness)
    contrast = 1.0 + random.uniform(-settings.color_aug_contrast, settings.color_aug_contrast)
    saturation = random.uniform(*settings.color_aug_saturation)
    turn = round(random.uniform(*settings.color_aug_hue_range) * _HUE_LEVELS)
    levels = np.arange(256, dtype=np.float32)
    grey = float(image.mean()) * brightness
    curve = np.clip((levels * brightness - grey) * contrast + grey, 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(cv2.LUT(np.ascontiguousarray(image), curve), cv2.COLOR_RGB2HSV)
    hue = ((np.arange(256) + turn) % _HUE_LEVELS).astype(np.uint8)
    vividness = np.clip(levels * saturation, 0, 255).astype(np.uint8)
    planes = cv2.split(hsv)
    changed = cv2.merge([cv2.LUT(planes[0], hue), cv2.LUT(planes[1], vividness), planes[2]])
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), dtype=np.uint8)
