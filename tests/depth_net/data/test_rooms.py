"""Rendered rooms on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from depth_net.data.raycast import Sphere
from depth_net.data.readers import read_image, read_picture_values
from depth_net.data.rooms import make_scene, place_camera, render, write_scene

if TYPE_CHECKING:
    from pathlib import Path


def _first_view(
    seed: int,
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    random = np.random.default_rng(seed)
    scene = make_scene(random)
    return render(scene, place_camera(scene, random, height=60, width=80))


def test_files_hold_the_picture_and_whole_millimetres(tmp_path: Path) -> None:
    write_scene(tmp_path / "room", seed=(4,), views=2, height=60, width=80)
    image, depth_m = _first_view(4)

    assert sorted(path.name for path in (tmp_path / "room").iterdir()) == [
        "rgb_00000.jpg",
        "rgb_00001.jpg",
        "sync_depth_00000.png",
        "sync_depth_00001.png",
    ]
    stored_m = read_picture_values(tmp_path / "room/sync_depth_00000.png") / 1000
    assert np.abs(stored_m - depth_m).max() <= 0.000501
    stored = read_image(tmp_path / "room/rgb_00000.jpg").astype(int)
    assert np.abs(stored - image).mean() < 4


def test_a_scene_is_a_function_of_its_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_scene(tmp_path / name, seed=(seed,), views=1, height=30, width=40)

    first, again, other = ((tmp_path / name / "sync_depth_00000.png").read_bytes() for name in "abc")

    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(10))
def test_cameras_keep_clear_and_depths_stay_within_the_range_of_nyu(seed: int) -> None:
    _, depth_m = _first_view(seed)

    assert depth_m.min() > 0.3
    assert depth_m.max() < 10.0


def test_views_of_one_room_and_rooms_differ() -> None:
    depths = [_first_view(seed)[1] for seed in range(6)]

    means = [float(depth.mean()) for depth in depths]
    assert max(means) > 1.2 * min(means)


def test_rooms_hold_boxes_and_balls() -> None:
    scenes = [make_scene(np.random.default_rng(seed)) for seed in range(20)]

    assert all(any(isinstance(solid, Sphere) for solid in scene.solids) for scene in scenes)
    assert {len(scene.solids) for scene in scenes} >= {3, 5, 7}
