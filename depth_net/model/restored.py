"""A trained model ready to predict, from a spec and a checkpoint, for every action after training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.errors import SpecError, WeightsError
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.quantized import is_quantized_tensor
from depth_net.model.weights import apply_weights, load_weights

if TYPE_CHECKING:
    from depth_net.config.experiment import ExperimentConfig
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
    weights = load_weights(Path(checkpoint).expanduser(), config.model.weights_key)
    model = DepthAnything(
        encoder=config.model.encoder.value,
        model_type=config.model.model_type,
        max_depth_m=_max_depth_m(config, weights),
    )
    if any(is_quantized_tensor(tensor) for tensor in weights.state.values()):
        _restore_quantized(model, weights)
    else:
        apply_weights(model, weights)
    _doubt_name(model, weights)
    logger.info("weights: %s (%s, %s, %s)", weights.path, weights.encoder, weights.layout, weights.container)
    return model.eval()


def _doubt_name(model: DepthAnything, weights: LoadedWeights) -> None:
    """Warn where the name of a file has the words of a published one with another range or family."""
    name = weights.name
    if name is None or name.is_exact or weights.metadata:
        return
    if name.family is not model.model_type or name.max_depth_m != model.max_depth_m:
        found = f"{name.family}, {name.max_depth_m:g} m" if name.max_depth_m else str(name.family)
        logger.warning(
            "%s is named as %s; the spec says %s, dataset.max_depth %s: another range scales every depth",
            *(weights.path, found, model.model_type, model.max_depth_m),
        )


def _restore_quantized(model: DepthAnything, weights: LoadedWeights) -> None:
    """Put quantised weights into a model; its Linear layers then compute with them.

    Raises:
        WeightsError: names or shapes do not fit.
    """
    wanted = model.state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in weights.state.items()}
    needed = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    different = sorted(name for name in found.keys() | needed.keys() if found.get(name) != needed.get(name))
    if different:
        shown = ", ".join(f"{name} {found.get(name)} instead of {needed.get(name)}" for name in different[:5])
        raise WeightsError(
            f"{weights.path}: {len(different)} quantised weights do not fit the model: {shown}; fix: set model.encoder "
            f"to {weights.encoder} and model.model_type to what was quantised"
        )
    model.load_state_dict(dict(weights.state), strict=True, assign=True)
    model.requires_grad_(requires_grad=False)


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
