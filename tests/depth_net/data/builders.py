"""Small data sets on disk for the tests of data, checks and conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def write_picture(path: Path, height: int = 48, width: int = 64, *, seed: int = 0) -> Path:
    """Write an RGB picture of random colours."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def write_depth_mm(
    path: Path, height: int = 48, width: int = 64, *, value: int | npt.NDArray[np.uint16] = 2000
) -> Path:
    """Write a 16 bit PNG, by default 2 m everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.broadcast_to(np.asarray(value, dtype=np.uint16), (height, width)).copy())
    return path


def write_nyu(folder: Path, count: int = 4, *, height: int = 48, width: int = 64, name: str = "list.txt") -> Path:
    """Write ``count`` pictures with 16 bit depth and an annotation file with relative paths; return the latter."""
    lines = []
    for index in range(count):
        ramp = np.linspace(1000 + 100 * index, 4000, width).astype(np.uint16)
        write_picture(folder / f"rgb_{index}.png", height, width, seed=index)
        write_depth_mm(folder / f"depth_{index}.png", height, width, value=ramp)
        lines.append(f"rgb_{index}.png depth_{index}.png\n")
    file = folder / name
    file.write_text("".join(lines), encoding="utf-8")
    return file


def write_mixed(folder: Path, count: int) -> Path:
    """Write samples as `write_nyu` does, every second one 64x48 instead of 48x64 and every third one 40x64."""
    file = write_nyu(folder, count)
    for index in range(count):
        height, width = (64, 48) if index % 2 else (40, 64) if index % 3 == 0 else (48, 64)
        ramp = np.linspace(1000 + 100 * index, 4000, width).astype(np.uint16)
        write_picture(folder / f"rgb_{index}.png", height, width, seed=index)
        write_depth_mm(folder / f"depth_{index}.png", height, width, value=ramp)
    return file
