"""Depth checked against closed forms and signed distances, which share no code with the intersections."""

from __future__ import annotations

import math

import numpy as np
import pytest

from depth_net.data.raycast import Box, Camera, Room, Solid, Sphere, Vector, box_normals, cast, hit_solid
from depth_net.data.rooms import make_scene, place_camera


def _camera(**changes: float) -> Camera:
    angles = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0} | changes
    return Camera(position=(1.0, 2.0, 1.5), height=31, width=41, **angles)


def _signed_distance(points: Vector, solid: Solid) -> Vector:
    """Exact distance to the surface, negative inside, from textbook formulas and an independent rotation."""
    if isinstance(solid, Sphere):
        return np.asarray(np.linalg.norm(points - np.asarray(solid.center), axis=-1) - solid.radius)
    x, y, z = np.moveaxis(points - np.asarray(solid.center), -1, 0)
    turned = (x + 1j * y) * np.exp(-1j * solid.yaw)
    excess = np.abs(np.stack([turned.real, turned.imag, z], axis=-1)) - np.asarray(solid.half)
    return np.asarray(np.linalg.norm(np.maximum(excess, 0), axis=-1) + np.minimum(excess.max(axis=-1), 0))


def test_a_wall_square_to_the_camera_has_one_depth() -> None:
    camera = _camera()

    hits = cast(np.asarray(camera.position), camera.rays(), Room((5.0, 40.0, 30.0)), ())

    np.testing.assert_allclose(hits.distance[5:26, 15:26], 4.0, rtol=1e-12)
    assert (hits.surface[5:26, 15:26] == 1).all()


def test_the_floor_below_a_level_camera_follows_the_pinhole() -> None:
    camera = _camera()

    hits = cast(np.asarray(camera.position), camera.rays(), Room((1000.0, 1000.0, 1000.0)), ())

    below_axis = np.arange(16, 31) - 15
    np.testing.assert_allclose(hits.distance[16:, 20], 1.5 * camera.focal_px / below_axis, rtol=1e-12)
    assert (hits.surface[16:, 20] == 4).all()


def test_the_middle_of_a_ball_is_nearer_by_its_radius() -> None:
    camera = _camera(yaw=math.pi / 2)
    ball = Sphere(center=(1.0, 5.0, 1.5), radius=0.5)

    hits = cast(np.asarray(camera.position), camera.rays(), Room((9.0, 9.0, 3.0)), (ball,))

    assert hits.distance[15, 20] == pytest.approx(2.5, rel=1e-12)
    assert hits.surface[15, 20] == 6


def test_a_turned_box_shows_its_edge() -> None:
    camera = _camera()
    box = Box(center=(4.0, 2.0, 1.5), half=(0.5, 0.5, 0.5), yaw=math.pi / 4)

    hits = cast(np.asarray(camera.position), camera.rays(), Room((9.0, 9.0, 3.0)), (box,))

    assert hits.distance[15, 20] == pytest.approx(3.0 - math.sqrt(0.5), rel=1e-9)


def test_a_solid_behind_the_camera_is_not_seen() -> None:
    ball = Sphere(center=(0.0, 2.0, 1.5), radius=0.5)
    box = Box(center=(0.0, 2.0, 1.5), half=(0.3, 0.3, 0.3), yaw=0.2)

    for solid in (ball, box):
        assert np.isinf(hit_solid(np.array([1.0, 2.0, 1.5]), _camera().rays(), solid)).all()


def test_the_axes_of_a_camera_are_right_handed_and_level_without_roll() -> None:
    right, down, forward = _camera(yaw=0.7, pitch=-0.3).rotation().T

    np.testing.assert_allclose(np.cross(right, down), forward, atol=1e-12)
    assert right[2] == 0.0
    assert down[2] < 0
    assert forward[2] == pytest.approx(math.sin(-0.3))


@pytest.mark.parametrize("seed", range(12))
def test_every_hit_of_a_random_scene_lies_on_its_surface_and_nothing_is_in_front(seed: int) -> None:
    random = np.random.default_rng(seed)
    scene = make_scene(random)
    camera = place_camera(scene, random, height=30, width=40)
    eye, directions = np.asarray(camera.position), camera.rays()

    hits = cast(eye, directions, scene.room, scene.solids)

    points = eye + hits.distance[..., None] * directions
    room = np.minimum(points, np.asarray(scene.room.size) - points).min(axis=-1)
    assert room.min() > -1e-9
    assert np.abs(room[hits.surface < 6]).max() < 1e-9
    for index, solid in enumerate(scene.solids):
        seen = hits.surface == 6 + index
        assert not seen.any() or np.abs(_signed_distance(points[seen], solid)).max() < 1e-9
        for share in np.linspace(0.02, 0.98, 25):
            assert _signed_distance(eye + share * hits.distance[..., None] * directions, solid).min() > -1e-9


@pytest.mark.parametrize("seed", range(3))
def test_depth_is_measured_along_the_optical_axis(seed: int) -> None:
    random = np.random.default_rng(seed)
    scene = make_scene(random)
    camera = place_camera(scene, random, height=30, width=40)
    directions = camera.rays()

    hits = cast(np.asarray(camera.position), directions, scene.room, scene.solids)

    forward = camera.rotation()[:, 2]
    np.testing.assert_allclose((hits.distance[..., None] * directions) @ forward, hits.distance, rtol=1e-9)


def test_normals_of_a_box_point_outwards() -> None:
    box = Box(center=(1.0, 2.0, 3.0), half=(0.5, 1.0, 2.0), yaw=0.6)
    outward = np.array([[math.cos(0.6), math.sin(0.6), 0.0], [math.sin(0.6), -math.cos(0.6), 0.0], [0.0, 0.0, 1.0]])
    on_faces = np.asarray(box.center) + outward * np.array([[0.5], [1.0], [2.0]])

    np.testing.assert_allclose(box_normals(on_faces, box), outward, atol=1e-12)
