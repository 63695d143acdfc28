"""The encoder: a plain vision transformer (DINOv2) whose parameter names are those of the published weights.

Written here rather than taken from a model library because that library renames its modules between minor versions,
costs seconds to import in every trial, and resamples position embeddings differently from the published model.
The query, key and value projections are one matrix product, as in the published layout; attention is
`scaled_dot_product_attention`, which picks flash or cuDNN kernels on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from depth_net.model.encoders import PATCH

if TYPE_CHECKING:
    from depth_net.model.encoders import EncoderShape


NORM_EPSILON = 1e-6
POSITION_OFFSET = 0.1
"""Patches added to the target grid before the scale factor is taken, by the published model. It shifts every sampling
point of the position embeddings; without it predictions at sizes other than the training size differ by 7 % of their
standard deviation."""


class PatchEmbedding(nn.Module):
    """Cuts an image into patches and projects each to a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, H/14 * W/14, width)."""
        return self.proj(images).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]  # a Module call is Any


class Attention(nn.Module):
    """Multi-head self-attention over all tokens of an image."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to (B, N, width)."""
        batch, count, width = tokens.shape
        query, key, value = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads).unbind(2)
        mixed = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        )
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))  # type: ignore[no-any-return]


class Perceptron(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to (B, N, width)."""
        return self.fc2(functional.gelu(self.fc1(tokens)))  # type: ignore[no-any-return]


class GatedPerceptron(nn.Module):
    """SwiGLU: the first half of one projection, through SiLU, gates the second half (ViT-g only)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to (B, N, width)."""
        gate, signal = self.w12(tokens).chunk(2, dim=-1)
        return self.w3(functional.silu(gate) * signal)  # type: ignore[no-any-return]


class LayerScale(nn.Module):
    """One learned factor per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to (B, N, width)."""
        return tokens * self.gamma


class Block(nn.Module):
    """Attention and feed-forward part, each normalised before and scaled after, each with a residual connection."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, eps=NORM_EPSILON)
        self.attn = Attention(shape.width, shape.heads)
        self.ls1 = LayerScale(shape.width)
        self.norm2 = nn.LayerNorm(shape.width, eps=NORM_EPSILON)
        feed_forward = GatedPerceptron if shape.swiglu else Perceptron
        self.mlp = feed_forward(shape.width, shape.hidden)
        self.ls2 = LayerScale(shape.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to (B, N, width)."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """The encoder of Depth Anything: four normalised feature maps out of one transformer."""

    def __init__(self, shape: EncoderShape, *, activation_checkpointing: bool = False) -> None:
        super().__init__()
        self.shape = shape
        self.activation_checkpointing = activation_checkpointing
        self.patch_embed = PatchEmbedding(shape.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.grid**2 + 1, shape.width))
        # Part of the published layout and count, read by pre-training only. Frozen, so that DistributedDataParallel
        # does not wait for a gradient that never comes.
        self.mask_token = nn.Parameter(torch.zeros(1, shape.width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, eps=NORM_EPSILON)

    def forward(self, images: Tensor, rows: int, columns: int) -> list[Tensor]:
        """Tokens of the four tapped blocks.

        Args:
            images: Normalised RGB, shape (B, 3, 14 * rows, 14 * columns).
            rows: Patches from top to bottom.
            columns: Patches from left to right.

        Returns:
            Four tensors of shape (B, rows * columns, width), from shallow to deep, without the class token.
        """
        tokens = torch.cat((self.cls_token.expand(images.shape[0], -1, -1), self.patch_embed(images)), dim=1)
        tokens = tokens + position_embedding(self.pos_embed, self.shape.grid, rows, columns)
        taps = []
        for index, block in enumerate(self.blocks):
            if self.activation_checkpointing and self.training:
                # Nothing in a block is random, so the generator state need not be kept for the second forward pass.
                tokens = checkpoint(block, tokens, use_reentrant=False, preserve_rng_state=False)
            else:
                tokens = block(tokens)
            if index in self.shape.taps:
                taps.append(self.norm(tokens)[:, 1:])
        return taps


def position_embedding(learned: Tensor, grid: int, rows: int, columns: int) -> Tensor:
    """Learned position embeddings, resampled to another grid of patches.

    Bicubic, by a scale factor of ``(patches + 0.1) / grid`` per axis. The learned grid itself is returned unchanged.

    Args:
        learned: Shape (1, 1 + grid**2, width); the class token's embedding first.
        grid: Side of the learned grid, in patches.
        rows: Patches from top to bottom.
        columns: Patches from left to right.

    Returns:
        Shape (1, 1 + rows * columns, width).

    Source: published DINOv2 and Depth Anything V2 models, whose weights were trained with the offset.
    """
    if rows == columns == grid:
        return learned
    patches = learned[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    scale = ((rows + POSITION_OFFSET) / grid, (columns + POSITION_OFFSET) / grid)
    patches = functional.interpolate(patches, scale_factor=scale, mode="bicubic")
    return torch.cat((learned[:, :1], patches.flatten(2).transpose(1, 2)), dim=1)
