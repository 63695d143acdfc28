"""Small models with weights that make every layer matter, and checkpoints of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def make_model(model_type: ModelType = ModelType.METRIC, encoder: str = "vit_tiny", *, seed: int = 0) -> DepthAnything:
    """Return a model in evaluation mode whose output varies over the image and stays positive."""
    torch.manual_seed(seed)
    max_depth_m = 10.0 if model_type is ModelType.METRIC else None
    model = DepthAnything(encoder=encoder, model_type=model_type, max_depth_m=max_depth_m)
    draw_strong_weights(model)
    return model.eval()


def draw_strong_weights(model: nn.Module) -> None:
    """Draw weights large enough that a wrong sampling point or a swapped matrix shows in the output."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("lambda1"):
                parameter.uniform_(0.05, 0.3)
            elif name.endswith(("position_embeddings", "cls_token")):
                parameter.normal_(std=0.5)
            elif parameter.ndim > 1:
                parameter.normal_(std=1 / parameter[0].numel() ** 0.5)


def save_like_lightning(path: Path, state: Mapping[str, Tensor]) -> Path:
    """Write a checkpoint with the keys that Lightning and the container write."""
    torch.save(
        {
            "epoch": 0,
            "global_step": 3,
            "pytorch-lightning_version": "2.6.6",
            "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
            "optimizer_states": [],
        },
        path,
    )
    return path
