"""Random flips, colours and magnification of training samples; off unless a spec turns them on.

The container ignores these keys, and its templates set probabilities such as 0.5; here they act only with ``enabled:
true``. All random numbers come from a generator that the caller seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from depth_net.data.transforms import Planes

if TYPE_CHECKING:
    from depth_net.config.dataset import AugmentationConfig
    from depth_net.data.readers import ImageArray

_HUE_LEVELS = 180
"""OpenCV counts hue of 8 bit images in steps of 2 degrees."""


def changes_size(settings: AugmentationConfig) -> bool:
    """Tell whether images are magnified at random."""
    return settings.enabled and settings.max_scale > 0 and settings.spatial_aug_prob > 0


def draw_zoom(settings: AugmentationConfig, random: np.random.Generator) -> float:
    """Return a random magnification of one sample, >= 1: less would not cover the crop.

    It is 2 to a power in [min_scale, max_scale]. Where nothing is magnified the generator is left alone.
    """
    if not changes_size(settings):
        return 1.0
    exponent = random.uniform(settings.min_scale, settings.max_scale)
    return max(1.0, float(2.0**exponent)) if random.random() < settings.spatial_aug_prob else 1.0


def augment(planes: Planes, settings: AugmentationConfig, random: np.random.Generator) -> Planes:
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


def jitter_colors(image: ImageArray, settings: AugmentationConfig, random: np.random.Generator) -> ImageArray:
    """Change brightness, contrast, saturation and hue by random amounts within ``settings``; shape and type stay."""
    brightness = 1.0 + random.uniform(-settings.color_aug_brightness, settings.color_aug_brightness)
    contrast = 1.0 + random.uniform(-settings.color_aug_contrast, settings.color_aug_contrast)
    (least, most), (left, right) = settings.color_aug_saturation, settings.color_aug_hue_range
    saturation = random.uniform(least, most)
    turn = round(random.uniform(left, right) * _HUE_LEVELS)
    levels = np.arange(256, dtype=np.float32)
    grey = float(image.mean()) * brightness
    curve = np.clip((levels * brightness - grey) * contrast + grey, 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(cv2.LUT(np.ascontiguousarray(image), curve), cv2.COLOR_RGB2HSV)
    hue = ((np.arange(256) + turn) % _HUE_LEVELS).astype(np.uint8)
    vividness = np.clip(levels * saturation, 0, 255).astype(np.uint8)
    planes = cv2.split(hsv)
    changed = cv2.merge([cv2.LUT(planes[0], hue), cv2.LUT(planes[1], vividness), planes[2]])
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), dtype=np.uint8)
