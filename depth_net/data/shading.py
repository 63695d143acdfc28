"""Colours of a rendered room: procedural textures, a lamp at the camera, a weak lamp on the ceiling with shadows.

The lamp at the camera makes near surfaces bright. With surfaces of similar reflectance this is the cue from which a
small model learns depth within seconds on one core; measured without it, the other cues are not enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from depth_net.data.raycast import Box, Hits, Room, Solid, Sphere, Vector, box_normals, dot, hit_solid

if TYPE_CHECKING:
    from depth_net.data.readers import ImageArray

ROOM_SURFACES = 6
_FLASH = 1.8
"""Radiance of a white surface 1 m in front of the camera."""
_AMBIENT = 0.03
_CEILING_LAMP = 0.35
_SHADOW_BIAS = 1e-4
_GAMMA = 2.2


@dataclass(frozen=True, slots=True)
class Material:
    """Reflectance and pattern of one surface."""

    albedo: tuple[float, float, float]
    """Red, green and blue, in [0, 1]."""
    pattern: int
    """0 plain, 1 checks, 2 stripes."""
    period_m: float
    contrast: float
    """How much darker the pattern's second colour is, in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A furnished room."""

    room: Room
    solids: tuple[Solid, ...]
    materials: tuple[Material, ...]
    """Of the six room surfaces (low x, high x, low y, high y, floor, ceiling), then of the solids."""
    lamp: tuple[float, float, float]


def shade(scene: Scene, eye: Vector, directions: Vector, hits: Hits) -> ImageArray:
    """Return the picture seen from ``eye``, 8 bit RGB, shape (H, W, 3)."""
    points = eye + hits.distance[..., None] * directions
    normals = np.empty_like(points)
    albedo = np.empty_like(points)
    for surface in np.unique(hits.surface):
        here = hits.surface == surface
        normals[here], coordinates = _surface_frame(scene, int(surface), points[here])
        albedo[here] = _reflectance(scene.materials[surface], coordinates)
    flash = _received(eye - points, normals) * _FLASH
    to_lamp = np.asarray(scene.lamp) - points
    lamp = _received(to_lamp, normals) * _CEILING_LAMP * ~_shadowed(points, normals, to_lamp, scene.solids)
    radiance = albedo * (_AMBIENT + flash + lamp)[..., None]
    return (255.0 * np.clip(radiance, 0.0, 1.0) ** (1 / _GAMMA) + 0.5).astype(np.uint8)


def _received(toward: Vector, normals: Vector) -> npt.NDArray[np.float64]:
    """Light received from a unit lamp: Lambert's cosine over the squared distance."""
    squared = dot(toward, toward)
    cosine = np.maximum(dot(toward, normals), 0.0) / np.sqrt(squared)
    return np.asarray(cosine / squared)


def _surface_frame(scene: Scene, surface: int, points: Vector) -> tuple[Vector, Vector]:
    """Normals at the points and texture coordinates in metres along the surface, shapes (n, 3) and (n, 2)."""
    if surface < ROOM_SURFACES:
        axis, far_side = divmod(surface, 2)
        normals = np.zeros_like(points)
        normals[:, axis] = -1.0 if far_side else 1.0
        return normals, np.delete(points, axis, axis=1)
    solid = scene.solids[surface - ROOM_SURFACES]
    if isinstance(solid, Sphere):
        normals = (points - np.asarray(solid.center)) / solid.radius
        angles = np.stack([np.arctan2(normals[:, 1], normals[:, 0]), np.arcsin(np.clip(normals[:, 2], -1, 1))], axis=1)
        return normals, angles * solid.radius
    return box_normals(points, solid), _box_coordinates(solid, points)


def _box_coordinates(box: Box, points: Vector) -> Vector:
    local = box.to_local(points - np.asarray(box.center))
    face = (np.abs(local) / np.asarray(box.half)).argmax(axis=1)
    kept = np.array([[1, 2], [0, 2], [0, 1]])[face]
    return np.take_along_axis(local, kept, axis=1)


def _reflectance(material: Material, coordinates: Vector) -> Vector:
    cells = np.floor(coordinates / material.period_m).astype(np.int64)
    match material.pattern:
        case 1:
            second = (cells[:, 0] + cells[:, 1]) % 2 == 1
        case 2:
            second = cells[:, 0] % 2 == 1
        case _:
            second = np.zeros(len(cells), dtype=np.bool_)
    # A slow wave keeps plain surfaces from being one flat colour.
    wave = 1.0 + 0.04 * np.sin(coordinates[:, 0] * 5.1) * np.sin(coordinates[:, 1] * 4.3)
    return np.asarray(material.albedo) * (wave * np.where(second, 1.0 - material.contrast, 1.0))[:, None]


def _shadowed(points: Vector, normals: Vector, to_lamp: Vector, solids: tuple[Solid, ...]) -> npt.NDArray[np.bool_]:
    start = points + _SHADOW_BIAS * normals
    blocked = np.zeros(points.shape[:-1], dtype=np.bool_)
    for solid in solids:
        blocked |= hit_solid(start, to_lamp, solid) < 1.0
    return blocked
