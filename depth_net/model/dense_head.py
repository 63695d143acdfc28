"""The dense prediction head: four token maps in, one map at image size out (DPT as published with Depth Anything V2).

Parameter names are those of the published weights. Two things differ from the published order of operations without
changing the function: each stage's 1x1 projection runs before its enlargement (both are linear and the enlargement
weights sum to one, so they commute; it is then four times cheaper), and the last layer runs in float32 under autocast,
because depth in bfloat16 has steps of 0.4 %. Feature maps stay in channels-last memory, in which the tokens arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_net.model.encoders import PATCH
from depth_net.model.resize import Resize, enlarge

if TYPE_CHECKING:
    from depth_net.model.encoders import EncoderShape

LAST_WIDTH = 32


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to their input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(features, features, kernel_size=3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, features, h, w) to the same shape."""
        inner = self.conv1(functional.relu(maps))
        return maps + self.conv2(functional.relu(inner))  # type: ignore[no-any-return]


class FusionStage(nn.Module):
    """Adds a skip connection to the running map, refines and enlarges it."""

    def __init__(self, features: int, *, has_skip: bool) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, features, kernel_size=1)
        self.resConfUnit1 = ResidualUnit(features)
        self.resConfUnit2 = ResidualUnit(features)
        if not has_skip:
            # Published with the deepest stage, never run there: frozen, so that DistributedDataParallel does not wait.
            self.resConfUnit1.requires_grad_(requires_grad=False)

    def forward(self, running: Tensor, skip: Tensor | None) -> Tensor:
        """(B, features, h, w) to the same shape, projected; the caller enlarges."""
        if skip is not None:
            running = running + self.resConfUnit1(skip)
        return self.out_conv(self.resConfUnit2(running))  # type: ignore[no-any-return]


class Scratch(nn.Module):
    """The convolutions at the width of the head, grouped as in the published weights."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        for level, channels in enumerate(shape.neck, start=1):
            reduce = nn.Conv2d(channels, shape.features, kernel_size=3, padding=1, bias=False)
            self.add_module(f"layer{level}_rn", reduce)
            self.add_module(f"refinenet{level}", FusionStage(shape.features, has_skip=level < len(shape.neck)))
        self.output_conv1 = nn.Conv2d(shape.features, shape.features // 2, kernel_size=3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(shape.features // 2, LAST_WIDTH, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(LAST_WIDTH, 1, kernel_size=1),
        )


class DenseHead(nn.Module):
    """Fuses four token maps into one scalar map, before the final activation."""

    def __init__(self, shape: EncoderShape, *, resize: Resize = Resize.KERNEL) -> None:
        super().__init__()
        self.resize = resize
        self.width = shape.width
        self.projects = nn.ModuleList(nn.Conv2d(shape.width, channels, kernel_size=1) for channels in shape.neck)
        first, second, _, fourth = shape.neck
        self.resize_layers = nn.ModuleList(
            (
                nn.ConvTranspose2d(first, first, kernel_size=4, stride=4),
                nn.ConvTranspose2d(second, second, kernel_size=2, stride=2),
                nn.Identity(),
                nn.Conv2d(fourth, fourth, kernel_size=3, stride=2, padding=1),
            )
        )
        self.scratch = Scratch(shape)

    def forward(self, taps: list[Tensor], rows: int, columns: int) -> Tensor:
        """One number per pixel, not yet activated.

        Args:
            taps: Four tensors of shape (B, rows * columns, width), from shallow to deep.
            rows: Patches from top to bottom.
            columns: Patches from left to right.

        Returns:
            Shape (B, 14 * rows, 14 * columns), at least float32, unbounded.
        """
        skips = [self._skip(level, tokens, rows, columns) for level, tokens in enumerate(taps)]
        running: Tensor | None = None
        for level in (3, 2, 1, 0):
            stage = cast("FusionStage", getattr(self.scratch, f"refinenet{level + 1}"))
            running = stage(skips[level], None) if running is None else stage(running, skips[level])
            # The next shallower map is two or four times finer than the patches; the last stage doubles once more.
            finer = 2 ** (3 - level)
            running = self._enlarge(cast("Tensor", running), (finer * rows, finer * columns))
        maps = self._enlarge(self.scratch.output_conv1(running), (PATCH * rows, PATCH * columns))
        first, _, last = self.scratch.output_conv2
        return _in_float32(cast("nn.Conv2d", last), functional.relu(first(maps))).squeeze(1)

    def _skip(self, level: int, tokens: Tensor, rows: int, columns: int) -> Tensor:
        maps = tokens.reshape(-1, rows, columns, self.width).permute(0, 3, 1, 2)
        maps = self.resize_layers[level](self.projects[level](maps))
        return getattr(self.scratch, f"layer{level + 1}_rn")(maps)  # type: ignore[no-any-return]

    def _enlarge(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        return enlarge(maps, size, how=self.resize, training=self.training)


def _in_float32(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    """`layer(maps)` outside autocast, in the wider of float32 and the layer's own dtype."""
    with torch.autocast(maps.device.type, enabled=False):
        return layer(maps.to(layer.weight.dtype))  # type: ignore[no-any-return]
