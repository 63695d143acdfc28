"""Depth Anything as transformers has it, to compare with."""

from __future__ import annotations

from typing import Any

import torch

from depth_net.model.encoders import ENCODERS


def make_transformers_model(encoder: str, device: str) -> Any:  # noqa: ANN401  # a class without types
    """Return a relative model of the shape of one of our encoders, with random weights."""
    from transformers import (  # noqa: PLC0415  # seconds to import, for these tests alone
        DepthAnythingConfig,
        DepthAnythingForDepthEstimation,
        Dinov2Config,
    )

    shape = ENCODERS[encoder]
    configure: Any = Dinov2Config  # its annotations lack the inherited arguments
    backbone = configure(
        image_size=14 * shape.grid,
        patch_size=14,
        hidden_size=shape.width,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        mlp_ratio=4,
        use_swiglu_ffn=shape.swiglu,
        out_indices=[tap + 1 for tap in shape.taps],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=shape.width,
        neck_hidden_sizes=list(shape.neck),
        fusion_hidden_size=shape.features,
        depth_estimation_type="relative",
    )
    with torch.device(device):
        return DepthAnythingForDepthEstimation(config)
