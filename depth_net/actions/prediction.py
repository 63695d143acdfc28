"""One prediction at native size after another, for evaluation and inference.

Memory is bounded by a few batches: images of equal size share a batch, and one that is ready too early waits for its
turn. The model runs in float32 for every
precision of training, so that scores of one checkpoint do not depend on it.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from depth_net.data.dataset import dataset_of
from depth_net.data.loaders import build_loader, one_thread, start_processes
from depth_net.model.native_size import restore_native_size
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor
    from torch.utils.data import DataLoader

    from depth_net.config.dataset import SplitName
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.data.loaders import Batch
    from depth_net.model.depth_anything import DepthAnything

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
RESULTS_FILE = "results.json"
LOG_EVERY_S = 10.0
"""Seconds between two lines of progress where no terminal shows a bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedImage:
    """One image of a split and its prediction.

    Attributes:
        path: The image.
        prediction: Disparity or metres, shape (H, W) of the image, float32, on the model's device.
        target: Ground truth of the same shape, or None.
        valid: Boolean, same shape; all true without ground truth.
    """

    path: Path
    prediction: Tensor
    target: Tensor | None
    valid: Tensor


def write_results(folder: Path, values: Mapping[str, object]) -> None:
    """Write ``results.json`` of an action as strict JSON; a value that is not finite becomes null."""
    with whole(folder / RESULTS_FILE) as unfinished:
        text = json.dumps(_without_nonfinite(values), indent=2, allow_nan=False)
        unfinished.write_text(f"{text}\n", encoding="utf-8")


def _without_nonfinite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nonfinite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def choose_device(gpu_ids: tuple[int, ...]) -> torch.device:
    """The first GPU of the list, or the processor where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    index = gpu_ids[0] if gpu_ids else 0
    return torch.device("cuda", index if index < torch.cuda.device_count() else 0)


def load_split(
    config: ExperimentConfig,
    split: SplitName,
    max_depth_m: float | None,
    *,
    whole_truth: bool = False,
    native_size: bool = False,
) -> DataLoader[Batch]:
    """Read the annotation files of a split and batch its images in order.

    Args:
        config: The spec.
        split: ``test`` or ``infer``; training and validation data are loaded by the trainer.
        max_depth_m: Depth range of the model, which counts where the spec names none.
        whole_truth: Let every known value of the ground truth count, outside of boxes and ranges too.
        native_size: Keep the size of images, rounded to patches.

    Raises:
        SpecError: no or unusable data sources.
        DataError: unusable annotation lines.
    """
    section = config.dataset.split(split)
    changes = {"whole_truth": whole_truth, "native_size": native_size}
    dataset = dataset_of(config, split, seed=0, max_depth_m=max_depth_m, **changes)
    with one_thread():
        loader = build_loader(
            dataset,
            batch_size=section.batch_size,
            workers=section.workers,
            pin_memory=section.pin_memory and torch.cuda.is_available(),
            seed=0,
        )
        start_processes(loader)  # before the model starts the GPU
    return loader


def predict_images(
    model: DepthAnything, loader: DataLoader[Batch], device: torch.device, *, flip_average: bool = False
) -> Iterator[PredictedImage]:
    """Run the model over a loader and yield each image at its native size, in the order of the rows.

    Args:
        model: The model.
        loader: Of any split but training.
        device: Where the model runs.
        flip_average: Average with the prediction of the mirrored image.
    """
    if device.type != "cpu":
        model.to(device)
    ready: dict[int, PredictedImage] = {}
    following = 0
    for row, image in _predict(model.eval(), loader, device, flip_average=flip_average):
        ready[row] = image
        while following in ready:
            yield ready.pop(following)
            following += 1


def _predict(
    model: DepthAnything, loader: DataLoader[Batch], device: torch.device, *, flip_average: bool
) -> Iterator[tuple[int, PredictedImage]]:
    for batch in loader:
        images = predict_batch(model, batch, device, flip_average=flip_average)
        yield from zip(batch["row"], images, strict=True)


@torch.inference_mode()
def predict_batch(
    model: DepthAnything, batch: Batch, device: torch.device, *, flip_average: bool = False
) -> list[PredictedImage]:
    """Run the model on one batch; see `predict_images`."""
    images = batch["image"].to(device, non_blocking=True)
    predicted = model(images)
    if flip_average:
        predicted = (predicted + model(images.flip(-1)).flip(-1)) / 2
    return [
        PredictedImage(
            path=Path(path),
            prediction=restore_native_size(predicted[index], batch["image_size"][index]),
            target=batch["target"][index][0].to(device) if batch["has_target"][index] else None,
            valid=batch["valid"][index][0].to(device),
        )
        for index, path in enumerate(batch["image_path"])
    ]


def show_progress(images: Iterator[_T], total: int, title: str) -> Iterator[_T]:
    """Yield images, ``total`` in all; show a progress bar on a terminal, or log every `LOG_EVERY_S` seconds."""
    if not sys.stderr.isatty():
        yield from _log_progress(images, total, title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        for image in images:
            yield image
            bar.advance(task)


def _log_progress(images: Iterator[_T], total: int, title: str) -> Iterator[_T]:
    started = last = time.monotonic()
    for count, image in enumerate(images, start=1):
        yield image
        now = time.monotonic()
        if now - last >= LOG_EVERY_S or count == total:
            last = now
            logger.info("%s: %d of %d images, %.1f images/s", title, count, total, count / max(now - started, 1e-9))
