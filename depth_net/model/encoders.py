"""The five encoder sizes and the dense head that belongs to each.

Four are published (DINOv2 ViT-S/B/L/g with the Depth Anything V2 heads); `vit_tiny` is ours: small enough to learn the
demo data on a CPU in seconds. Numbers only; the modules are built in `depth_net.model.network`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PATCH = 14
"""Side of a patch in pixels, for every encoder. Image sides must be multiples of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderShape:
    """Widths and depths of one encoder and its head.

    Attributes:
        width: Channels of a token.
        depth: Number of transformer blocks.
        heads: Attention heads; `width` is a multiple of it.
        swiglu: Whether the feed-forward part is a SwiGLU unit instead of a two-layer perceptron.
        features: Channels of every stage of the head.
        neck: Channels of the four tapped feature maps, from shallow to deep.
        taps: 0-based indices of the blocks whose output the head reads, ascending.
        grid: Side of the square grid of learned position embeddings, in patches.
    """

    width: int
    depth: int
    heads: int
    features: int
    neck: tuple[int, int, int, int]
    taps: tuple[int, int, int, int]
    swiglu: bool = False
    grid: int = 37


ENCODERS: Mapping[str, EncoderShape] = MappingProxyType(
    {
        "vits": EncoderShape(width=384, depth=12, heads=6, features=64, neck=(48, 96, 192, 384), taps=(2, 5, 8, 11)),
        "vitb": EncoderShape(width=768, depth=12, heads=12, features=128, neck=(96, 192, 384, 768), taps=(2, 5, 8, 11)),
        "vitl": EncoderShape(
            width=1024, depth=24, heads=16, features=256, neck=(256, 512, 1024, 1024), taps=(4, 11, 17, 23)
        ),
        "vitg": EncoderShape(
            width=1536,
            depth=40,
            heads=24,
            features=384,
            neck=(1536, 1536, 1536, 1536),
            taps=(9, 19, 29, 39),
            swiglu=True,
        ),
        "vit_tiny": EncoderShape(
            width=64, depth=4, heads=4, features=16, neck=(16, 16, 32, 32), taps=(0, 1, 2, 3), grid=5
        ),
    }
)
"""Every encoder by the name that specs use for it (`model.encoder`)."""


def encoder_of_width(width: int) -> str | None:
    """Name of the encoder whose tokens have `width` channels; None when there is none. Widths are unique."""
    return next((name for name, shape in ENCODERS.items() if shape.width == width), None)
