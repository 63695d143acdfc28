"""Files like those of NYU Depth V2 for the loader to read: 640x480 JPEG and 16-bit PNG in millimetres.

Blurred noise at three scales compresses to the size of photographs (about 110 kB and 250 kB), so that decoding costs
what it costs on the real data set. Needs OpenCV.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 640, 480
PASSES = 8
"""Times that the files make up one epoch: at the end of a real one a loader starts anew (0.7 s with 16 processes), in
this benchmark of a few steps it must not."""
SCALES = ((2, 12.0), (12, 30.0), (80, 60.0))
"""(blur in pixels, contrast) of each layer of an image."""


def write_apart(folder: Path, count: int) -> Path:
    """Do what `write_photographs` does in another process: one that has started OpenCV's threads cannot be forked."""
    writer = multiprocessing.get_context("fork").Process(target=write_photographs, args=(folder, count))
    writer.start()
    writer.join()
    return write_photographs(folder, count)


def write_photographs(folder: Path, count: int) -> Path:
    """Write image and depth files and the annotation file that lists them; nothing if it is there already.

    Returns:
        The annotation file.
    """
    annotations = folder / f"train_{count}.txt"
    if annotations.is_file():
        return annotations
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        lines = list(pool.map(partial(_write_one, folder), range(count)))
    annotations.write_text("".join(lines), encoding="utf-8")
    return annotations


def _write_one(folder: Path, index: int) -> str:
    """Write one image with its depth; return its line of the annotation file."""
    random = np.random.default_rng(index)
    image, depth = folder / f"rgb_{index:05d}.jpg", folder / f"depth_{index:05d}.png"
    layers = sum(_layer(random, (HEIGHT, WIDTH, 3), blur, contrast) for blur, contrast in SCALES)
    cv2.imwrite(str(image), np.clip(128 + layers, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    millimetres = 3000 + _layer(random, (HEIGHT, WIDTH), 60, 1500) + _layer(random, (HEIGHT, WIDTH), 3, 8)
    cv2.imwrite(str(depth), np.clip(millimetres, 500, 9500).astype(np.uint16))
    return f"{image} {depth}\n"


def _layer(random: np.random.Generator, shape: tuple[int, ...], blur: int, contrast: float) -> np.ndarray:
    """Noise with structures of about `blur` pixels and a standard deviation of `contrast`."""
    small = (max(2, shape[0] // blur), max(2, shape[1] // blur), *shape[2:])
    noise = random.standard_normal(small, dtype=np.float32)
    return np.asarray(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC) * contrast)
