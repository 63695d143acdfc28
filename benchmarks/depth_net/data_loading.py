"""What does it cost to read one 640x480 image with its depth and to make a training sample of it?

    python -m benchmarks.depth_net.data_loading [--crop 518] [--workers 0 1 2 4]

Prints CPU-milliseconds per stage, which do not depend on how busy the machine is, then images per second of the whole
loader for each number of loading processes, which do. Files are those of benchmarks.depth_net.photographs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.depth_net.photographs import HEIGHT, WIDTH, write_photographs
from depth_net.config.dataset import DataSource
from depth_net.data.annotations import Row, read_annotations
from depth_net.data.dataset import DepthDataset, build_dataset
from depth_net.data.families import DepthRange, ground_truth_from, require_family
from depth_net.data.loaders import build_loader
from depth_net.data.readers import read_image, read_values
from depth_net.data.rooms import make_scene, place_camera, render
from depth_net.data.transforms import normalize_image, resize_ground_truth, resize_image, resized_shape
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Callable

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
REPEATS = 30
IMAGES = 256


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crop", type=int, default=518)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        annotations = write_photographs(Path(folder), IMAGES)
        for stage, milliseconds in _stages(read_annotations(annotations), options.crop):
            print(f"{stage:34}  {milliseconds:6.2f} CPU-ms")
        for workers in options.workers:
            rate, processes = _throughput(_dataset(annotations, options.crop), workers)
            print(f"loader, {processes} processes  {rate:6.1f} images/s")


def _stages(rows: tuple[Row, ...], crop: int) -> list[tuple[str, float]]:
    entry, limits = require_family("NYUDV2", ModelType.METRIC), DepthRange()
    image, depth_file = read_image(rows[0].image), rows[0].depth
    if depth_file is None:
        raise ValueError(rows[0])
    raw = read_values(depth_file)
    truth = ground_truth_from(raw, entry, limits)
    shape = resized_shape(HEIGHT, WIDTH, (crop, crop))
    square = resize_image(image, shape)[:crop, :crop]
    scene = make_scene(np.random.default_rng(0))
    camera = place_camera(scene, np.random.default_rng(0), height=120, width=160)
    dataset = _dataset(rows[0].image.parent / f"train_{IMAGES}.txt", crop)
    return [
        (f"decode JPEG {WIDTH}x{HEIGHT}", _cpu_ms(lambda: read_image(rows[0].image))),
        (f"decode 16 bit PNG {WIDTH}x{HEIGHT}", _cpu_ms(lambda: read_values(depth_file))),
        ("mask", _cpu_ms(lambda: ground_truth_from(raw, entry, limits))),
        (f"resize image to {shape[1]}x{shape[0]}", _cpu_ms(lambda: resize_image(image, shape))),
        ("resize ground truth", _cpu_ms(lambda: resize_ground_truth(truth, shape))),
        (f"normalise {crop}x{crop}", _cpu_ms(lambda: normalize_image(square, MEAN, STD))),
        ("whole training sample", _cpu_ms(lambda: dataset[0])),
        ("render a room of 160x120", _cpu_ms(lambda: render(scene, camera))),
    ]


def _cpu_ms(work: Callable[[], object]) -> float:
    work()
    started = time.process_time()
    for _ in range(REPEATS):
        work()
    return (time.process_time() - started) / REPEATS * 1000.0


def _dataset(annotations: Path, crop: int) -> DepthDataset:
    return build_dataset(
        [DataSource(dataset_name="NYUDV2", data_file=str(annotations))],
        split="train",
        model_type=ModelType.METRIC,
        crop_size=(crop, crop),
        input_mean=MEAN,
        input_std=STD,
        min_depth_m=None,
        max_depth_m=None,
        seed=0,
    )


def _throughput(dataset: DepthDataset, workers: int) -> tuple[float, int]:
    """Images per second from the first batch on, so without the start of the processes, and their number."""
    loader = build_loader(dataset, batch_size=8, workers=workers, pin_memory=False, seed=0)
    batches = iter(loader)
    next(batches)
    started = time.perf_counter()
    images = sum(batch["image"].shape[0] for batch in batches)
    return images / (time.perf_counter() - started), loader.num_workers


if __name__ == "__main__":
    main()
