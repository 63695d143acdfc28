"""`depth_net export`: write a checkpoint as an ONNX file that was compared with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from depth_net.data.dataset import read_sources
from depth_net.data.readers import read_image
from depth_net.data.transforms import normalize_image, resize_image
from depth_net.errors import SpecError
from depth_net.model.onnx_file import export_onnx, require_exportable
from depth_net.model.quantized import is_quantized_tensor
from depth_net.model.restored import restore_model
from depth_net.model.weights import metadata_of

if TYPE_CHECKING:
    from torch import Tensor

    from depth_net.config import ExperimentConfig
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)

DEFAULT_NAME = "model.onnx"
COMPARED_IMAGES = 8
"""How many images of ``dataset.infer_dataset`` go through the file and the checkpoint."""


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Export `export.checkpoint` to `export.onnx_file`. Runs on the processor; the file is the same.

    The file is compared with the checkpoint on random input and, where ``dataset.infer_dataset`` names any, on images.

    Raises:
        DataError: an image of ``dataset.infer_dataset`` cannot be read.
        SpecError: the file exists and `export.overwrite` is false, or a size or operator set cannot be exported.
        WeightsError: the checkpoint cannot be used.
        DepthNetError: the file does not agree with the checkpoint.
    """
    settings = config.export
    target = _target(config)
    require_exportable((settings.input_height, settings.input_width), settings.opset_version)
    if target.is_dir():
        raise SpecError(f"export.onnx_file: found a folder, {target}; expected the name of a file; fix: add one")
    if target.exists() and not settings.overwrite:
        raise SpecError(
            f"export.onnx_file: found an existing file, {target}; expected a new one; fix: set export.overwrite=true "
            "or choose another name"
        )
    checkpoint = str(settings.checkpoint)
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    if any(is_quantized_tensor(parameter) for parameter in model.parameters()):
        raise SpecError(
            f"export.checkpoint: found quantised weights in {checkpoint}; expected a checkpoint as trained; fix: "
            "export that one and quantise when building the engine"
        )
    augmentation = config.dataset.infer_dataset.augmentation
    differences = export_onnx(
        model,
        target,
        _images(config),
        batch_size=None if settings.batch_size <= 0 else settings.batch_size,
        opset=settings.opset_version,
        verbose=settings.verbose,
        metadata={
            **metadata_of(model, min_depth_m=config.dataset.min_depth),
            "input_mean": list(augmentation.input_mean),
            "input_std": list(augmentation.input_std),
            "input_channels": "RGB",
            "checkpoint": Path(checkpoint).name,
        },
    )
    told = "  ".join(f"{name} {value:.2e}" for name, value in differences.items())
    logger.info("%s: opset %d, %s", target, settings.opset_version, told)
    status.running(f"Exported to {target}", kpi=differences)


def _images(config: ExperimentConfig) -> Tensor:
    """Return the first images of ``dataset.infer_dataset`` at the size of the file, normalised; none without data."""
    split, size = config.dataset.infer_dataset, (config.export.input_height, config.export.input_width)
    sources = [(s.dataset_name, Path(s.data_file).expanduser()) for s in split.data_sources if s.data_file]
    if not sources:
        return torch.empty((0, 3, *size))
    rows = read_sources(sources, split="infer", model_type=config.model.model_type)[:COMPARED_IMAGES]
    mean, std = tuple(split.augmentation.input_mean), tuple(split.augmentation.input_std)
    ready = [normalize_image(resize_image(read_image(row.image), size), mean, std) for _, row in rows]
    return torch.stack([torch.from_numpy(image) for image in ready])


def _target(config: ExperimentConfig) -> Path:
    if config.export.onnx_file:
        return Path(config.export.onnx_file).expanduser()
    return config.results_directory("export") / DEFAULT_NAME
