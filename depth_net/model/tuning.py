"""Fine-tuning of a part of the encoder: frozen layers, and adapters on its attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from depth_net.model.adapters import adapt

if TYPE_CHECKING:
    from depth_net.model.depth_anything import DepthAnything


def prepare_tuning(model: DepthAnything, *, freeze: str, lora_rank: int) -> None:
    """Freeze a part of the encoder and add adapters, in place.

    Args:
        model: With its starting weights.
        freeze: ``none``, ``encoder``, or ``blocks:N`` for the embeddings and the first N blocks (at most all).
        lora_rank: Rank of the adapters on the attention of all blocks, with ``blocks:N`` of those behind them; the
            encoder's own weights are then frozen. 0 adds none.
    """
    backbone = model.network.backbone
    blocks = list(backbone.encoder.layer)
    count = int(freeze.partition(":")[2] or 0)
    if lora_rank or freeze == "encoder" or count >= len(blocks):
        backbone.requires_grad_(requires_grad=False)
    elif count:
        for part in (backbone.embeddings, *blocks[:count]):
            part.requires_grad_(requires_grad=False)
    if lora_rank:
        for block in blocks[count:]:
            for layer in [each for each in block.attention.modules() if isinstance(each, nn.Linear)]:
                adapt(layer, lora_rank)
