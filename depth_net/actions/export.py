"""`depth_net export`: write a checkpoint as an ONNX file that was compared with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.errors import SpecError
from depth_net.model.onnx_file import export_onnx
from depth_net.model.quantized import is_quantized_tensor
from depth_net.model.restored import restore_model
from depth_net.model.weights import metadata_of

if TYPE_CHECKING:
    from depth_net.config import ExperimentConfig
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)

DEFAULT_NAME = "model.onnx"


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Export `export.checkpoint` to `export.onnx_file`. Runs on the processor; the file is the same.

    Raises:
        SpecError: the file exists and `export.overwrite` is false, or a size or operator set cannot be exported.
        WeightsError: the checkpoint cannot be used.
        DepthNetError: the file does not agree with the checkpoint.
    """
    settings = config.export
    target = _target(config)
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
    difference = export_onnx(
        model,
        target,
        size=(settings.input_height, settings.input_width),
        batch_size=None if settings.batch_size <= 0 else settings.batch_size,
        opset=settings.opset_version,
        metadata={
            **metadata_of(model, min_depth_m=config.dataset.min_depth),
            "input_mean": list(augmentation.input_mean),
            "input_std": list(augmentation.input_std),
            "input_channels": "RGB",
            "checkpoint": Path(checkpoint).name,
        },
    )
    logger.info("%s: opset %d, largest difference %.2e", target, settings.opset_version, difference)
    status.running(f"Exported to {target}", data={"max_abs_difference": difference})


def _target(config: ExperimentConfig) -> Path:
    if config.export.onnx_file:
        return Path(config.export.onnx_file).expanduser()
    return config.results_directory("export") / DEFAULT_NAME
