"""`depth_net quantize`: a checkpoint with eight-bit weights that evaluate and inference read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from depth_net.errors import SpecError
from depth_net.model.quantized import choose_layers, is_quantized_tensor, quantize_layers, read_rules
from depth_net.model.restored import restore_model
from depth_net.model.weights import METADATA_KEY, metadata_of
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.model.depth_anything import DepthAnything
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Quantise the weights of `quantize.model_path` into ``<results>/quantized_model_torchao.pth``.

    Raises:
        SpecError: unusable rules, or rules that leave nothing to quantise.
        WeightsError: the checkpoint cannot be used.
    """
    settings = config.quantize
    rules = read_rules(settings.layers)
    if not settings.layers:
        status.warning("quantize.layers is empty: every Linear layer gets int8 weights", code="default_rule")
    checkpoint = str(settings.model_path)
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    if any(is_quantized_tensor(parameter) for parameter in model.parameters()):
        raise SpecError(f"quantize.model_path: found {checkpoint}, which is quantised already; expected one as trained")
    layers = choose_layers(model, rules, settings.skip_names)
    bytes_before = _bytes_of(model)
    quantize_layers(model, layers)
    target = config.results_directory("quantize") / f"quantized_model_{settings.backend}.pth"
    _save(model, target, config.dataset.min_depth, quantized={name: kind.value for name, kind in layers.items()})
    saved = target.stat().st_size
    logger.info("%s: %d layers, %.1f MB instead of %.1f MB", target, len(layers), saved / 1e6, bytes_before / 1e6)
    status.running(f"Quantized {len(layers)} layers to {target}", data={"layers": len(layers), "bytes": saved})


def _bytes_of(model: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


def _save(model: DepthAnything, path: Path, min_depth_m: float | None, *, quantized: dict[str, str]) -> None:
    notes = {**metadata_of(model, min_depth_m=min_depth_m), "quantized": quantized}
    with whole(path) as unfinished:
        torch.save({"state_dict": model.state_dict(), METADATA_KEY: notes}, unfinished)
