"""Exact depth of simple solids seen by a pinhole camera.

Nothing is meshed or marched: planes, rotated boxes and spheres are intersected in closed form in float64. Ray
directions have length 1 along the optical axis, so the parameter of a hit *is* its z-depth. World axes: x and y on the
floor, z up; metres. How scenes are made up and coloured is in depth_net.data.rooms and depth_net.data.shading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float64]
"""Shape (3,), or (..., 3) for many."""

_PARALLEL = 1e-12
"""Directions are moved this far from 0, so that slabs can be divided by them."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera without distortion."""

    position: tuple[float, float, float]
    yaw: float
    """Heading around the vertical in radians; 0 looks along x."""
    pitch: float
    """Radians above the horizon."""
    roll: float
    height: int
    width: int

    @property
    def focal_px(self) -> float:
        """Focal length in pixels: 519 at 640 columns, as the Kinect of NYU Depth V2."""
        return 519.0 * self.width / 640.0

    def rotation(self) -> Vector:
        """Columns are the right, down and forward axes of the camera in the world, shape (3, 3)."""
        cos_yaw, sin_yaw = math.cos(self.yaw), math.sin(self.yaw)
        cos_pitch, sin_pitch = math.cos(self.pitch), math.sin(self.pitch)
        forward = np.array([cos_yaw * cos_pitch, sin_yaw * cos_pitch, sin_pitch])
        right = np.array([sin_yaw, -cos_yaw, 0.0])
        down = np.cross(forward, right)
        cos_roll, sin_roll = math.cos(self.roll), math.sin(self.roll)
        return np.stack([cos_roll * right + sin_roll * down, cos_roll * down - sin_roll * right, forward], axis=1)

    def rays(self) -> Vector:
        """Directions through the pixel centres, 1 long along the optical axis, shape (H, W, 3)."""
        columns = (np.arange(self.width) - (self.width - 1) / 2) / self.focal_px
        rows = (np.arange(self.height) - (self.height - 1) / 2) / self.focal_px
        across, down = np.meshgrid(columns, rows)
        right, below, forward = self.rotation().T
        return np.asarray(across[..., None] * right + down[..., None] * below + forward)


@dataclass(frozen=True, slots=True)
class Room:
    """The inside of a box with a corner at the origin."""

    size: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A solid box turned around the vertical."""

    center: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float

    def to_local(self, vectors: Vector) -> Vector:
        """Turn vectors of shape (..., 3) into the axes of the box; subtract ``center`` first for points."""
        return _turn(vectors, -self.yaw)


@dataclass(frozen=True, slots=True)
class Sphere:
    """A solid ball."""

    center: tuple[float, float, float]
    radius: float


Solid: TypeAlias = Box | Sphere


@dataclass(frozen=True, slots=True)
class Hits:
    """The first hit of each ray. ``N`` is the shape of the rays without their last axis."""

    distance: npt.NDArray[np.float64]
    """Ray parameter, which is z-depth in metres for rays of a camera, shape N."""
    surface: npt.NDArray[np.int64]
    """0 to 5 for the room (2 * axis, + 1 at the far side), then 6 + index of the solid, shape N."""


def cast(origin: Vector, directions: Vector, room: Room, solids: tuple[Solid, ...]) -> Hits:
    """Find the first surface on every ray from ``origin``, a point inside the room and outside all solids."""
    distance, surface = _leave_room(origin, directions, room)
    for index, solid in enumerate(solids):
        entered = hit_solid(origin, directions, solid)
        nearer = entered < distance
        distance = np.where(nearer, entered, distance)
        surface = np.where(nearer, 6 + index, surface)
    return Hits(distance, surface)


def hit_solid(origin: Vector, directions: Vector, solid: Solid) -> npt.NDArray[np.float64]:
    """Ray parameter at which each ray enters ``solid``, +inf where it misses; ``origin`` may vary per ray."""
    with np.errstate(invalid="ignore"):
        return _hit_box(origin, directions, solid) if isinstance(solid, Box) else _hit_sphere(origin, directions, solid)


def dot(left: Vector, right: Vector) -> npt.NDArray[np.float64]:
    """Scalar products along the last axis, with broadcasting."""
    return np.asarray(np.einsum("...i,...i->...", left, right))


def box_normals(points: Vector, box: Box) -> Vector:
    """Outward normals at points on the surface of ``box``, shape (n, 3)."""
    local = box.to_local(points - np.asarray(box.center)) / np.asarray(box.half)
    axis = np.abs(local).argmax(axis=-1)
    normals = np.zeros_like(points)
    np.put_along_axis(normals, axis[..., None], np.sign(np.take_along_axis(local, axis[..., None], axis=-1)), axis=-1)
    return _turn(normals, box.yaw)


def _turn(vectors: Vector, angle: float) -> Vector:
    """Rotate vectors of shape (..., 3) around the vertical."""
    cos, sin = math.cos(angle), math.sin(angle)
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    # Not a matrix product: BLAS would start threads for these small arrays in every rendering process.
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)


def _leave_room(
    origin: Vector, directions: Vector, room: Room
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    slopes = np.where(np.abs(directions) < _PARALLEL, _PARALLEL, directions)
    bounds = np.where(slopes > 0, np.asarray(room.size), 0.0)
    exits = (bounds - origin) / slopes
    axis = exits.argmin(axis=-1)
    far_side = np.take_along_axis(slopes, axis[..., None], axis=-1)[..., 0] > 0
    return np.take_along_axis(exits, axis[..., None], axis=-1)[..., 0], 2 * axis + far_side


def _hit_box(origin: Vector, directions: Vector, box: Box) -> npt.NDArray[np.float64]:
    start, slopes = box.to_local(origin - np.asarray(box.center)), box.to_local(directions)
    entry: npt.NDArray[np.float64] = np.zeros(directions.shape[:-1])
    leave = np.full(directions.shape[:-1], np.inf)
    # One axis after the other: numpy reduces an axis of length 3 ten times slower than it compares two planes.
    for axis, half in enumerate(box.half):
        slope = slopes[..., axis]
        inverse = 1.0 / np.where(np.abs(slope) < _PARALLEL, _PARALLEL, slope)
        middle, reach = -start[..., axis] * inverse, half * np.abs(inverse)
        entry = np.maximum(entry, middle - reach)
        leave = np.minimum(leave, middle + reach)
    return np.where((entry > 0) & (entry <= leave), entry, np.inf)


def _hit_sphere(origin: Vector, directions: Vector, sphere: Sphere) -> npt.NDArray[np.float64]:
    offset = origin - np.asarray(sphere.center)
    a = dot(directions, directions)
    half_b = dot(directions, offset)
    c = dot(offset, offset) - sphere.radius**2
    discriminant = half_b * half_b - a * c
    entry = (-half_b - np.sqrt(discriminant)) / a
    return np.where((discriminant > 0) & (entry > 0), entry, np.inf)
