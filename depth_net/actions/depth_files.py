"""Files of one prediction: 16-bit PNG, NPY, PFM, EXR and point clouds.

Nothing is changed silently: what 16 bits cannot hold is refused, or clipped and counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from depth_net.config.choices import Output, Overflow
from depth_net.config.dataset import DEPTH_SCALES, stored_per_unit
from depth_net.data.readers import write_pfm
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from depth_net.colours import DepthArray, ImageArray
    from depth_net.config.actions import InferenceConfig

_LARGEST: Final = 65535
_POINT: Final = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])


def require_possible(settings: InferenceConfig, model_type: ModelType) -> None:
    """Refuse files that this model, or this OpenCV, cannot give, before anything is predicted.

    Raises:
        SpecError: says which, and what to do.
    """
    files = settings.files
    if Output.EXR in files and not cv2.haveImageWriter(".exr"):
        raise SpecError(
            f"inference.outputs: found exr, and this OpenCV ({cv2.__version__}) writes no EXR; use pfm or npy, which "
            "hold the same numbers"
        )
    is_relative = model_type is ModelType.RELATIVE
    if is_relative and Output.PLY in files:
        raise SpecError("inference.outputs: found ply with a relative model, which has no metres; leave it out")
    has_number = settings.depth_scale and settings.depth_scale.lower() not in DEPTH_SCALES
    if is_relative and Output.DEPTH_PNG in files and not has_number:
        raise SpecError(
            "inference.outputs: found depth_png with a relative model, whose disparity has no metres; set "
            "inference.depth_scale to the disparity of one stored step, such as 0.001, or use npy or pfm"
        )
    if Output.PLY in files and not settings.intrinsics and settings.field_of_view is None:
        raise SpecError(
            "inference.outputs: found ply without a camera; set inference.intrinsics=[fx,fy,cx,cy] in pixels, or "
            "inference.field_of_view in degrees"
        )


def write_depth_png(path: Path, prediction: DepthArray, settings: InferenceConfig) -> int:
    """Write a prediction as a 16-bit PNG; 0 is unknown. Return how many pixels were clipped.

    Raises:
        DataError: 16 bits cannot hold some depth, and clipping was not asked for.
    """
    per_unit = stored_per_unit(settings.depth_scale or "millimetres")
    known = np.isfinite(prediction)
    stored = np.rint(np.where(known, prediction, 0).astype(np.float64) * per_unit)
    beyond = int((stored > _LARGEST).sum())
    if beyond and settings.on_overflow is not Overflow.CLIP:
        raise DataError(
            f"{path.name}: {beyond} of {stored.size} pixels are beyond {_LARGEST / per_unit:.6g}, the most that 16 "
            f"bits hold at inference.depth_scale={settings.depth_scale or 'millimetres'}; the largest is "
            f"{float(prediction[known].max()):.6g}; use a coarser scale such as centimetres, or "
            "inference.on_overflow=clip"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    done, content = cv2.imencode(".png", np.clip(stored, 0, _LARGEST).astype(np.uint16))
    if not done:
        raise OSError(f"{path}: the depth could not be encoded as PNG")
    path.write_bytes(content.tobytes())
    return beyond


def write_raw(path: Path, prediction: DepthArray, kind: Output) -> None:
    """Write a prediction as 32-bit floats, as NPY, PFM or EXR."""
    path.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case Output.PFM:
            write_pfm(path, prediction)
        case Output.NPY:
            np.save(path, prediction)
        case _:
            done, content = cv2.imencode(".exr", prediction)
            if not done:
                raise OSError(f"{path}: the prediction could not be encoded as EXR")
            path.write_bytes(content.tobytes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera, in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float


def camera_of(intrinsics: Sequence[float], field_of_view: float | None, size: tuple[int, int]) -> Camera:
    """Return the camera of an image of (height, width) ``size``: the given one, or one that looks straight ahead."""
    if intrinsics:
        fx, fy, cx, cy = intrinsics
        return Camera(fx=fx, fy=fy, cx=cx, cy=cy)
    height, width = size
    focal = width / 2 / math.tan(math.radians(field_of_view or 0.0) / 2)
    return Camera(fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)


def write_points(path: Path, depth_m: DepthArray, image: ImageArray, camera: Camera) -> int:
    """Write a binary PLY of coloured points, x to the right, y down, z ahead, in metres; return their number."""
    height, width = depth_m.shape
    z = depth_m.astype(np.float64)
    x = (np.arange(width) - camera.cx)[None] / camera.fx * z
    y = (np.arange(height) - camera.cy)[:, None] / camera.fy * z
    chosen = np.isfinite(z) & (z > 0)
    points = np.empty(int(chosen.sum()), dtype=_POINT)
    for name, values in (("x", x), ("y", y), ("z", z)):
        points[name] = values[chosen]
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = image[..., channel][chosen]
    lines = [f"property {'float' if name in 'xyz' else 'uchar'} {name}" for name in _POINT.names or ()]
    header = ["ply", "format binary_little_endian 1.0", "comment metres; x right, y down, z ahead"]
    header += [f"element vertex {len(points)}", *lines, "end_header", ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(header).encode("ascii") + points.tobytes())
    return len(points)
