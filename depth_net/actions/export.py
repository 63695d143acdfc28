"""`depth_net export`: write a checkpoint as an ONNX file, compared with it, or in a published format of weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from depth_net.config.choices import ExportFormat
from depth_net.data.dataset import read_sources
from depth_net.data.readers import read_image
from depth_net.data.transforms import normalize_image, resize_image
from depth_net.errors import SpecError
from depth_net.model.onnx_file import export_onnx, export_open_onnx, require_exportable
from depth_net.model.published_files import write_published_file, write_transformers_folder
from depth_net.model.quantized import is_quantized_tensor
from depth_net.model.restored import restore_model
from depth_net.model.weights import metadata_of

if TYPE_CHECKING:
    from torch import Tensor

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.model.depth_anything import DepthAnything
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)

_NAMES: Final = {
    ExportFormat.ONNX: "model.onnx",
    ExportFormat.PTH: "model.pth",
    ExportFormat.TRANSFORMERS: "transformers",
}
COMPARED_IMAGES = 8
"""Number of images of ``dataset.infer_dataset`` on which the file and the checkpoint are compared."""


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Export `export.checkpoint` to `export.onnx_file`. Runs on the CPU; the file does not depend on the device.

    With `export.dynamic_hw` a second file beside it takes any height and width, compared at several sizes.

    The file is compared with the checkpoint on random input and, where ``dataset.infer_dataset`` names any, on images.
    The other formats, which hold the weights alone, go to the results folder.

    Raises:
        DataError: an image of ``dataset.infer_dataset`` cannot be read.
        SpecError: the file exists and `export.overwrite` is false, or a size or operator set cannot be exported.
        WeightsError: the checkpoint cannot be used.
        DepthNetError: the file does not agree with the checkpoint.
    """
    settings = config.export
    target = _target(config)
    if settings.format is ExportFormat.ONNX:
        require_exportable((settings.input_height, settings.input_width), settings.opset_version)
    is_open = settings.format is ExportFormat.ONNX and settings.dynamic_hw
    for file in (target, *([_open_file(target)] if is_open else [])):
        _require_free(file, config)
    checkpoint = str(settings.checkpoint)
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    if any(is_quantized_tensor(parameter) for parameter in model.parameters()):
        raise SpecError(
            f"export.checkpoint: found quantised weights in {checkpoint}; expected a checkpoint as trained; fix: "
            "export that one and quantise when building the engine"
        )
    differences = _write(model, target, config)
    shown = "".join(f", {name} {value:.2e}" for name, value in differences.items())
    logger.info("%s: %s%s", target, settings.format, shown)
    status.running(f"Exported to {target}", kpi=differences or None)


def _open_file(target: Path) -> Path:
    return target.with_stem(f"{target.stem}_open")


def _require_free(target: Path, config: ExperimentConfig) -> None:
    is_folder = config.export.format is ExportFormat.TRANSFORMERS
    where = "export.onnx_file" if config.export.format is ExportFormat.ONNX else "export.results_dir"
    if target.exists() and target.is_dir() != is_folder:
        found, expected = ("a file", "a folder") if is_folder else ("a folder", "the name of a file")
        raise SpecError(f"{where}: found {found}, {target}; expected {expected}; fix: choose another name")
    if target.exists() and not config.export.overwrite:
        raise SpecError(
            f"{where}: found an existing {'folder' if is_folder else 'file'}, {target}; expected a new one; "
            "fix: set export.overwrite=true or choose another name"
        )


def _write(model: DepthAnything, target: Path, config: ExperimentConfig) -> dict[str, float]:
    """Write the file or folder; return how much an ONNX file differs from the model."""
    settings, augmentation = config.export, config.dataset.infer_dataset.augmentation
    mean, std = augmentation.input_mean, augmentation.input_std
    match settings.format:
        case ExportFormat.PTH:
            write_published_file(model, target)
        case ExportFormat.TRANSFORMERS:
            size = (settings.input_height, settings.input_width)
            write_transformers_folder(model, target, size=size, mean=mean, std=std)
        case ExportFormat.ONNX:
            return _write_onnx(model, target, config)
    return {}


def _write_onnx(model: DepthAnything, target: Path, config: ExperimentConfig) -> dict[str, float]:
    settings, augmentation = config.export, config.dataset.infer_dataset.augmentation
    keys: dict[str, Any] = {
        "batch_size": None if settings.batch_size <= 0 else settings.batch_size,
        "opset": settings.opset_version,
        "verbose": settings.verbose,
        "metadata": {
            **metadata_of(model, min_depth_m=config.dataset.min_depth),
            "input_mean": list(augmentation.input_mean),
            "input_std": list(augmentation.input_std),
            "input_channels": "RGB",
            "checkpoint": Path(str(settings.checkpoint)).name,
        },
    }
    found = export_onnx(model, target, _images(config), **keys)
    if settings.dynamic_hw:
        size = (settings.input_height, settings.input_width)
        by_size = export_open_onnx(model, _open_file(target), size, **keys)
        shown = ", ".join(f"{name} {value:.2e}" for name, value in by_size.items())
        logger.info("%s: any height and width; largest difference by size: %s", _open_file(target), shown)
        found["max_abs_difference_open"] = max(by_size.values())
    return found


def _images(config: ExperimentConfig) -> Tensor:
    """Return the first images of ``dataset.infer_dataset`` at the size of the file, normalised; none without data."""
    split, size = config.dataset.infer_dataset, (config.export.input_height, config.export.input_width)
    sources = [source for source in split.data_sources if source.data_file]
    if not sources:
        return torch.empty((0, 3, *size))
    rows = read_sources(sources, split="infer", model_type=config.model.model_type)[:COMPARED_IMAGES]
    mean, std = tuple(split.augmentation.input_mean), tuple(split.augmentation.input_std)
    ready = [normalize_image(resize_image(read_image(row.image), size), mean, std) for _, row in rows]
    return torch.stack([torch.from_numpy(image) for image in ready])


def _target(config: ExperimentConfig) -> Path:
    settings = config.export
    if settings.onnx_file and settings.format is ExportFormat.ONNX:
        return Path(settings.onnx_file).expanduser()
    return config.results_directory("export") / _NAMES[settings.format]
