"""Random changes happen when, and only when, they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from depth_net.config.dataset import AugmentationConfig
from depth_net.data.augmentation import augment, changes_size, draw_zoom, jitter_colors
from depth_net.data.transforms import Planes


def _settings(**changes: Any) -> AugmentationConfig:  # noqa: ANN401 - keys of the section
    """Return settings with which nothing but ``changes`` acts."""
    nothing = {"h_flip_prob": 0.0, "v_flip_prob": 0.0, "color_aug_prob": 0.0, "min_scale": 0.0, "max_scale": 0.0}
    return AugmentationConfig(**{**nothing, **changes})


def _planes() -> Planes:
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (14, 28, 3), dtype=np.uint8)
    return Planes(image, random.random((14, 28), dtype=np.float32), random.random((14, 28)) < 0.5)


def test_probabilities_of_a_template_do_nothing_without_the_master_switch() -> None:
    settings = _settings(h_flip_prob=1.0, v_flip_prob=1.0, color_aug_prob=1.0, max_scale=1.0)

    assert augment(planes := _planes(), settings, np.random.default_rng(0)) is planes
    assert draw_zoom(settings, np.random.default_rng(0)) == 1.0


def test_flips_move_image_target_and_mask_together() -> None:
    planes = _planes()
    settings = _settings(enabled=True, h_flip_prob=1.0, v_flip_prob=1.0)

    flipped = augment(planes, settings, np.random.default_rng(0))

    np.testing.assert_array_equal(flipped.image, planes.image[::-1, ::-1])
    np.testing.assert_array_equal(flipped.target, planes.target[::-1, ::-1])
    np.testing.assert_array_equal(flipped.valid, planes.valid[::-1, ::-1])


def test_a_flip_happens_about_as_often_as_asked() -> None:
    planes = _planes()
    settings = _settings(enabled=True, h_flip_prob=0.3)
    random = np.random.default_rng(5)

    flips = sum(bool((augment(planes, settings, random).target != planes.target).any()) for _ in range(1000))

    assert 240 < flips < 360


def test_colours_change_the_image_but_not_the_depth() -> None:
    planes = _planes()

    changed = augment(planes, _settings(enabled=True, color_aug_prob=1.0), np.random.default_rng(1))

    assert changed.image.dtype == np.uint8
    assert (changed.image != planes.image).any()
    np.testing.assert_array_equal(changed.target, planes.target)


def test_no_brightness_contrast_saturation_or_hue_leaves_grey_as_it_is() -> None:
    grey = np.repeat(np.arange(0, 196, dtype=np.uint8).reshape(14, 14, 1), 3, axis=-1)
    settings = _settings(
        enabled=True,
        color_aug_brightness=0.0,
        color_aug_contrast=0.0,
        color_aug_saturation=(1.0, 1.0),
        color_aug_hue_range=(0.0, 0.0),
    )

    unchanged = jitter_colors(grey, settings, np.random.default_rng(0))

    assert np.abs(unchanged.astype(int) - grey).max() <= 1


def test_saturation_zero_takes_all_colour_away() -> None:
    settings = _settings(enabled=True, color_aug_saturation=(0.0, 0.0))

    grey = jitter_colors(_planes().image, settings, np.random.default_rng(0))

    np.testing.assert_array_equal(grey[..., 0], grey[..., 1])
    np.testing.assert_array_equal(grey[..., 1], grey[..., 2])


def test_zoom_stays_between_one_and_two_to_the_largest_power() -> None:
    settings = _settings(enabled=True, min_scale=-0.2, max_scale=0.4)
    random = np.random.default_rng(0)

    zooms = [draw_zoom(settings, random) for _ in range(500)]

    assert min(zooms) == 1.0
    assert 1.3 < max(zooms) <= 2**0.4


def test_a_spatial_probability_of_zero_keeps_the_size() -> None:
    settings = _settings(enabled=True, min_scale=0.1, max_scale=0.4, spatial_aug_prob=0.0)

    assert not changes_size(settings)
    assert draw_zoom(settings, np.random.default_rng(0)) == 1.0
