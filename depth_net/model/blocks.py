"""The encoder: DINOv2's patch and position embeddings and its transformer blocks.

Written out instead of taken from transformers, whose layers compute the same: importing them costs every command and
every trial seconds, and the compiler has to see through their hooks. Modules and parameters have transformers' names,
so that its checkpoints load by name; tests compare the two. Nothing here draws weights.

Source: Oquab et al., "DINOv2", arXiv:2304.07193; Touvron et al. on LayerScale, arXiv:2103.17239; Shazeer on SwiGLU,
arXiv:2002.05202.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_net.model.encoders import PATCH

if TYPE_CHECKING:
    from depth_net.model.encoders import EncoderShape

NORM_EPSILON = 1e-6
POSITION_OFFSET = 0.1
"""Patches added to the target grid before the scale factor is taken, by the published model. It shifts every sampling
point of the position embeddings; without it, as in transformers, predictions at sizes other than the training size
differ by 7 % of their standard deviation."""
_EXPANSION = 4
"""Width of a perceptron over that of its tokens."""
_COLOURS = 3


class Backbone(nn.Module):
    """All modules of an encoder; `DepthAnything` runs them one by one.

    Args:
        shape: Widths and depths.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.encoder = Encoder(shape)
        self.layernorm = nn.LayerNorm(shape.width, eps=NORM_EPSILON)


class Encoder(nn.Module):
    """The transformer blocks in order."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block(shape) for _ in range(shape.depth))


class Embeddings(nn.Module):
    """Images to tokens: one per patch, after a class token, each with the embedding of its position."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.mask_token = nn.Parameter(torch.zeros(1, shape.width))
        """Read by pre-training only, and published."""
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + shape.grid**2, shape.width))
        self.patch_embeddings = PatchEmbeddings(shape)

    def forward(self, images: Tensor) -> Tensor:
        """Return tokens of shape (B, 1 + rows * columns, width) for images of shape (B, 3, 14 rows, 14 columns)."""
        # A tracer hands tensors over; in an exported file the size of the input is fixed.
        rows, columns = int(images.shape[-2]) // PATCH, int(images.shape[-1]) // PATCH
        patches = self.patch_embeddings.projection(images).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls_token.expand(patches.shape[0], -1, -1), patches), dim=1)
        return tokens + position_embedding(self.position_embeddings, rows, columns)


class PatchEmbeddings(nn.Module):
    """One linear map from the pixels of a patch to its token."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.projection = nn.Conv2d(_COLOURS, shape.width, kernel_size=PATCH, stride=PATCH)


class Block(nn.Module):
    """Attention, then a perceptron, each normalised before and scaled per channel after."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, eps=NORM_EPSILON)
        self.attention = Attention(shape)
        self.layer_scale1 = LayerScale(shape)
        self.norm2 = nn.LayerNorm(shape.width, eps=NORM_EPSILON)
        self.mlp = GatedPerceptron(shape) if shape.swiglu else Perceptron(shape)
        self.layer_scale2 = LayerScale(shape)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape (B, N, width)."""
        tokens = self.layer_scale1(self.attention(self.norm1(tokens))) + tokens
        changed: Tensor = self.layer_scale2(self.mlp(self.norm2(tokens))) + tokens
        return changed


class Attention(nn.Module):
    """Every token looks at all tokens of its image, with several heads."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj = nn.Linear(shape.width, shape.width)
        self.k_proj = nn.Linear(shape.width, shape.width)
        self.v_proj = nn.Linear(shape.width, shape.width)
        self.o_proj = nn.Linear(shape.width, shape.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape (B, N, width)."""
        query, key, value = (self._split(part(tokens)) for part in (self.q_proj, self.k_proj, self.v_proj))
        seen = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.o_proj(seen.transpose(1, 2).flatten(2))
        return joined

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to (B, heads, N, width / heads)."""
        return tokens.view(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class LayerScale(nn.Module):
    """One learned factor per channel."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.lambda1 = nn.Parameter(torch.ones(shape.width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Scale tokens of shape (B, N, width)."""
        return tokens * self.lambda1


class Perceptron(nn.Module):
    """Two layers with a GELU between them, token by token."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.fc1 = nn.Linear(shape.width, _EXPANSION * shape.width)
        self.fc2 = nn.Linear(_EXPANSION * shape.width, shape.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape (B, N, width)."""
        changed: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return changed


class GatedPerceptron(nn.Module):
    """SwiGLU: two layers side by side, one the gate of the other; a third one back. As wide as costs the same."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        width = -(-int(_EXPANSION * shape.width * 2 / 3) // 8) * 8
        self.gate_proj = nn.Linear(shape.width, width)
        self.up_proj = nn.Linear(shape.width, width)
        self.down_proj = nn.Linear(width, shape.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape (B, N, width)."""
        changed: Tensor = self.down_proj(functional.silu(self.gate_proj(tokens)) * self.up_proj(tokens))
        return changed


def position_embedding(learned: Tensor, rows: int, columns: int) -> Tensor:
    """Learned position embeddings, resampled to another grid of patches.

    Bicubic, by a scale factor of ``(patches + 0.1) / grid`` per axis. The learned grid itself is returned unchanged.

    Args:
        learned: Shape (1, 1 + grid**2, width); the class token's embedding first.
        rows: Patches from top to bottom.
        columns: Patches from left to right.

    Returns:
        Shape (1, 1 + rows * columns, width).

    Source: published DINOv2 and Depth Anything V2 models, whose weights were trained with the offset.
    """
    grid = math.isqrt(learned.shape[1] - 1)
    if rows == columns == grid:
        return learned
    patches = learned[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    scale = ((rows + POSITION_OFFSET) / grid, (columns + POSITION_OFFSET) / grid)
    patches = functional.interpolate(patches, scale_factor=scale, mode="bicubic")
    return torch.cat((learned[:, :1], patches.flatten(2).transpose(1, 2)), dim=1)
