"""A trained model ready to predict, from a spec and a checkpoint, for every action after training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.errors import SpecError
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.quantized import is_quantized, restore_quantized
from depth_net.model.weights import apply_weights, load_weights

if TYPE_CHECKING:
    from depth_net.config import ExperimentConfig
    from depth_net.model.weights import LoadedWeights

logger = logging.getLogger(__name__)


def restore_model(config: ExperimentConfig, checkpoint: str) -> DepthAnything:
    """Build the model that the spec describes and fill it from a checkpoint of any kind.

    A metric model without `dataset.max_depth` takes the depth range that the checkpoint names.

    Args:
        config: The spec.
        checkpoint: File or folder.

    Returns:
        The model in evaluation mode, float32 on the CPU, or with int8 weights if the checkpoint is quantised.

    Raises:
        WeightsError: the checkpoint cannot be read or does not fit the spec.
        SpecError: neither the spec nor the checkpoint names the depth range of a metric model.
    """
    weights = load_weights(Path(checkpoint).expanduser())
    model = DepthAnything(
        encoder=config.model.encoder.value,
        model_type=config.model.model_type,
        max_depth_m=_max_depth_m(config, weights),
    )
    if is_quantized(weights):
        restore_quantized(model, weights)
    else:
        apply_weights(model, weights)
    logger.info("weights: %s (%s, %s, %s)", weights.path, weights.encoder, weights.layout, weights.container)
    return model.eval()


def _max_depth_m(config: ExperimentConfig, weights: LoadedWeights) -> float | None:
    if config.model.model_type is ModelType.RELATIVE:
        return None
    if config.dataset.max_depth is not None:
        return config.dataset.max_depth
    if weights.max_depth_m is None:
        raise SpecError(
            f"dataset.max_depth: found nothing, and {weights.path} does not name its depth range; expected the largest "
            "depth in metres that the model was trained for; fix: set dataset.max_depth to the value of its training"
        )
    logger.info("dataset.max_depth: %g m, from %s", weights.max_depth_m, weights.path)
    return weights.max_depth_m
