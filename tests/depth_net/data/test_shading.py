"""What the lamps do to a picture."""

from __future__ import annotations

import numpy as np

from depth_net.data.raycast import Camera, Room, Solid, Sphere, cast
from depth_net.data.shading import Material, Scene, shade

_PLAIN = Material(albedo=(0.6, 0.6, 0.6), pattern=0, period_m=1.0, contrast=0.0)


def _picture(
    *, solids: tuple[Solid, ...] = (), wall_m: float = 4.0, material: Material = _PLAIN
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    scene = Scene(Room((wall_m + 1.0, 6.0, 3.0)), solids, (material,) * (6 + len(solids)), lamp=(1.0, 3.0, 2.9))
    camera = Camera(position=(1.0, 3.0, 1.5), yaw=0.0, pitch=0.0, roll=0.0, height=31, width=41)
    eye, directions = np.asarray(camera.position), camera.rays()
    return shade(scene, eye, directions, cast(eye, directions, scene.room, scene.solids))


def test_a_nearer_wall_is_brighter() -> None:
    near, far = _picture(wall_m=2.0), _picture(wall_m=6.0)

    assert near[15, 20].mean() > 1.5 * far[15, 20].mean()


def test_a_ball_throws_a_shadow_on_the_floor() -> None:
    below = slice(24, 31)
    ball = Sphere(center=(2.3, 3.0, 1.9), radius=0.3)

    lit, shadowed = _picture()[below].astype(int), _picture(solids=(ball,))[below].astype(int)

    assert (shadowed <= lit).all()
    assert 10 < (lit - shadowed > 2).sum() < lit.size / 2


def test_checks_and_stripes_differ_from_a_plain_surface() -> None:
    plain = _picture()
    for pattern in (1, 2):
        patterned = _picture(material=Material((0.6, 0.6, 0.6), pattern, 0.3, 0.5))

        assert (patterned < plain).any()
        assert (patterned == plain).any()


def test_a_picture_is_eight_bit_rgb() -> None:
    picture = _picture(material=Material((0.8, 0.4, 0.2), 0, 1.0, 0.0))

    assert picture.shape == (31, 41, 3)
    assert picture.dtype == np.uint8
    assert (picture[..., 0] > picture[..., 1]).all()
    assert (picture[..., 1] > picture[..., 2]).all()
