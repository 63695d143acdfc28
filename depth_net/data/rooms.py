"""Rendered rooms in the raw layout of NYU Depth V2: ``<scene>/rgb_00000.jpg`` and ``<scene>/sync_depth_00000.png``.

Every scene is a pure function of the seed, the split and its number, so the set is the same on every machine and for
any number of processes. Depth is exact z-depth at the pixel centres, rounded to whole millimetres. Geometry is in
depth_net.data.raycast, colours are in depth_net.data.shading.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from depth_net.data.raycast import Box, Camera, Room, Solid, Sphere, cast
from depth_net.data.shading import ROOM_SURFACES, Material, Scene, shade

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.data.readers import DepthArray, ImageArray

_JPEG_QUALITY = 92
_CLEARANCE_M = 0.45
"""Least distance of a camera to a solid, so that no view is filled by one surface."""
_WALL_CLEARANCE_M = 0.5


def make_scene(random: np.random.Generator) -> Scene:
    """Return a random room of 3.5 to 7.5 m with two to five boxes, one or two balls and a lamp under the ceiling."""
    room = Room((random.uniform(3.5, 7.5), random.uniform(3.5, 7.5), random.uniform(2.4, 3.2)))
    boxes = [_draw_box(room, random) for _ in range(random.integers(2, 6))]
    balls = [_draw_ball(room, random) for _ in range(random.integers(1, 3))]
    solids: tuple[Solid, ...] = (*boxes, *balls)
    lamp = (room.size[0] * random.uniform(0.3, 0.7), room.size[1] * random.uniform(0.3, 0.7), room.size[2] - 0.15)
    materials = tuple(_draw_material(random) for _ in range(ROOM_SURFACES + len(solids)))
    return Scene(room, solids, materials, lamp)


def place_camera(scene: Scene, random: np.random.Generator, *, height: int, width: int) -> Camera:
    """Return a random camera at eye height, clear of walls and solids, that looks roughly across the room."""
    size = scene.room.size
    while True:
        x, y = (random.uniform(_WALL_CLEARANCE_M, length - _WALL_CLEARANCE_M) for length in size[:2])
        position = (float(x), float(y), float(random.uniform(1.1, 1.7)))
        if all(_distance_bound(position, solid) > _CLEARANCE_M for solid in scene.solids):
            break
    across = math.atan2(size[1] / 2 - y, size[0] / 2 - x)
    return Camera(
        position=position,
        yaw=float(across + random.uniform(-0.9, 0.9)),
        pitch=float(random.uniform(-0.35, 0.05)),
        roll=float(random.normal(0.0, 0.03)),
        height=height,
        width=width,
    )


def render(scene: Scene, camera: Camera) -> tuple[ImageArray, DepthArray]:
    """Return the picture, 8 bit RGB of shape (H, W, 3), and z-depth in metres, shape (H, W)."""
    eye = np.asarray(camera.position)
    directions = camera.rays()
    hits = cast(eye, directions, scene.room, scene.solids)
    return shade(scene, eye, directions, hits), hits.distance.astype(np.float32)


def write_scene(folder: Path, *, seed: tuple[int, ...], views: int, height: int, width: int) -> None:
    """Render one scene from several places into ``folder``, which is created.

    Args:
        folder: Folder of the scene; receives ``rgb_00000.jpg`` and ``sync_depth_00000.png`` and so on.
        seed: All randomness starts here.
        views: Number of cameras.
        height: Rows of the images.
        width: Columns of the images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    scene = make_scene(random)
    for view in range(views):
        image, depth_m = render(scene, place_camera(scene, random, height=height, width=width))
        millimetres = np.rint(depth_m * 1000.0).astype(np.uint16)
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"rgb_{view:05d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        cv2.imwrite(str(folder / f"sync_depth_{view:05d}.png"), millimetres)


def _draw_box(room: Room, random: np.random.Generator) -> Box:
    half = (random.uniform(0.2, 0.6), random.uniform(0.2, 0.6), random.uniform(0.2, 0.9))
    reach = math.hypot(half[0], half[1])
    x, y = (random.uniform(reach, length - reach) for length in room.size[:2])
    return Box(center=(x, y, half[2]), half=half, yaw=random.uniform(0.0, math.pi))


def _draw_ball(room: Room, random: np.random.Generator) -> Sphere:
    radius = random.uniform(0.2, 0.45)
    x, y = (random.uniform(radius, length - radius) for length in room.size[:2])
    z = radius if random.random() < 0.5 else random.uniform(radius, room.size[2] - radius)  # noqa: PLR2004 - half lie on the floor
    return Sphere(center=(x, y, z), radius=radius)


def _draw_material(random: np.random.Generator) -> Material:
    grey = random.uniform(0.5, 0.8)
    tint = grey * random.uniform(0.85, 1.15, size=3)
    return Material(
        albedo=(float(tint[0]), float(tint[1]), float(tint[2])),
        pattern=int(random.integers(3)),
        period_m=float(random.uniform(0.15, 0.5)),
        contrast=float(random.uniform(0.1, 0.25)),
    )


def _distance_bound(position: tuple[float, float, float], solid: Solid) -> float:
    """A lower bound of the distance from a point to a solid: exact for balls, to the enclosing cylinder for boxes."""
    if isinstance(solid, Sphere):
        return math.dist(position, solid.center) - solid.radius
    return math.dist(position[:2], solid.center[:2]) - math.hypot(solid.half[0], solid.half[1])
