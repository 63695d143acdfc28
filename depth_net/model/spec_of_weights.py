"""The spec that a checkpoint says by itself: enough to predict with it where nobody wrote a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from depth_net.errors import WeightsError
from depth_net.model.family import ModelType
from depth_net.model.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.tree import Tree

_SIZE_KEYS = ("crop_size", "input_mean", "input_std")


def spec_of_weights(path: Path) -> Tree:
    """Return encoder, family, depth range, and size and normalisation of images, as far as the file says them.

    Raises:
        WeightsError: the file cannot be read, or does not say its family.
    """
    weights = load_weights(path)
    family = weights.family or (weights.name.family if weights.name is not None else None)
    if family is None:
        raise WeightsError(
            f"{path}: found a {weights.encoder} model that does not say its family; expected a spec with "
            f"model.model_type={' or '.join(ModelType)}; fix: name one with -e SPEC"
        )
    name = weights.name
    if name is not None and name.encoder not in (None, weights.encoder) and not weights.metadata:
        raise WeightsError(
            f"{path}: found a {weights.encoder} model under the name of a {name.encoder}, {name.text}; family and "
            "range of that name prove nothing; expected a name that fits; fix: rename it, or name a spec with -e SPEC"
        )
    known = {key: weights.metadata[key] for key in _SIZE_KEYS if key in weights.metadata}
    dataset: Tree = {"infer_dataset": {"augmentation": known}}
    if family is ModelType.METRIC and weights.max_depth_m is not None:
        dataset["max_depth"] = weights.max_depth_m
    return {
        "results_dir": "results",
        "model": {"model_type": family.value, "encoder": weights.encoder},
        "dataset": dataset,
    }
