"""The network: the encoder of `depth_net.model.blocks` and the dense head of Depth Anything V2.

Modules and parameters have the names of transformers' implementation. It computes what the published head computes, in
a cheaper order: the neck projects before it enlarges (both are linear and the enlargement weights sum to one, so they
commute; it is then four times cheaper) and keeps the channels-last memory in which tokens arrive; the last layer runs
in float32 under autocast, because depth in bfloat16 has steps of 0.4 %.

Source: Ranftl et al., "Vision Transformers for Dense Prediction", arXiv:2103.13413; Yang et al., "Depth Anything V2",
arXiv:2406.09414.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_net.model.blocks import Backbone
from depth_net.model.encoders import PATCH
from depth_net.model.resize import Resize, enlarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from depth_net.model.encoders import EncoderShape

_HEAD_CHANNELS = 32


class Network(nn.Module):
    """Encoder, neck and head; `DepthAnything` runs them.

    Args:
        shape: Widths and depths.
        resize: How the neck and the head enlarge feature maps in training.
    """

    def __init__(self, shape: EncoderShape, *, resize: Resize) -> None:
        super().__init__()
        self.backbone = Backbone(shape)
        self.neck = ProjectingNeck(shape, resize=resize)
        self.head = Float32Head(shape, resize=resize)


def build_network(shape: EncoderShape, *, resize: Resize) -> Network:
    """Build the network on the default device without drawing its weights: every parameter is uninitialised memory."""
    device = torch.get_default_device()
    with torch.device("meta"):  # PyTorch would draw all weights in a way that is not ours
        network = Network(shape, resize=resize)
    return network.to_empty(device=device)


class ProjectingNeck(nn.Module):
    """Four token maps to one feature map; each fusion stage projects before it enlarges."""

    def __init__(self, shape: EncoderShape, *, resize: Resize) -> None:
        super().__init__()
        self.resize = resize
        self.reassemble_stage = Stage(
            Reassemble(shape.width, channels, resizer)
            for channels, resizer in zip(shape.neck, _resizers(shape.neck), strict=True)
        )
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, shape.features, kernel_size=3, padding=1, bias=False) for channels in shape.neck
        )
        self.fusion_stage = Stage(Fusion(shape.features) for _ in shape.neck)

    def forward(self, taps: Sequence[Tensor], rows: int, columns: int) -> Tensor:
        """Fuse four token maps.

        Args:
            taps: Four tensors of shape (B, 1 + rows * columns, width), from shallow to deep; the class token first.
            rows: Patches from top to bottom.
            columns: Patches from left to right.

        Returns:
            The finest fused map, shape (B, features, 8 * rows, 8 * columns).
        """
        skips = [self._skip(level, tokens, rows, columns) for level, tokens in enumerate(taps)]
        running = skips[-1]
        stages: Any = self.fusion_stage.layers
        for depth, (stage, skip) in enumerate(zip(stages, reversed(skips), strict=True)):
            if depth:
                running = running + stage.residual_layer1(skip)
            running = stage.projection(stage.residual_layer2(running))
            # The next shallower map is two or four times finer than the patches; the last stage doubles once more.
            size = (2**depth * rows, 2**depth * columns)
            running = enlarge(running, size, how=self.resize, training=self.training)
        return running

    def _skip(self, level: int, tokens: Tensor, rows: int, columns: int) -> Tensor:
        maps = tokens[:, 1:].reshape(tokens.shape[0], rows, columns, tokens.shape[2]).permute(0, 3, 1, 2)
        skip: Tensor = self.convs[level](self.reassemble_stage.layers[level](maps))
        return skip


class Stage(nn.Module):
    """Four modules of a kind, from shallow to deep or back."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class Reassemble(nn.Module):
    """One token map, as an image of the channels and the fineness that its level has in the neck."""

    def __init__(self, width: int, channels: int, resizer: nn.Module) -> None:
        super().__init__()
        self.projection = nn.Conv2d(width, channels, kernel_size=1)
        self.resize = resizer

    def forward(self, maps: Tensor) -> Tensor:
        """Return shape (B, channels, h, w) for a map of shape (B, width, rows, columns)."""
        resized: Tensor = self.resize(self.projection(maps))
        return resized


class Fusion(nn.Module):
    """The modules that fuse one level into the running map; the neck runs them."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(features, features, kernel_size=1)
        self.residual_layer1 = ResidualUnit(features)
        self.residual_layer2 = ResidualUnit(features)


class ResidualUnit(nn.Module):
    """Two convolutions, each after a ReLU, around which the map goes on unchanged."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(features, features, kernel_size=3, padding=1)
        self.convolution2 = nn.Conv2d(features, features, kernel_size=3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return a map of the same shape (B, features, h, w)."""
        change: Tensor = self.convolution2(functional.relu(self.convolution1(functional.relu(maps))))
        return change + maps


class Float32Head(nn.Module):
    """The finest map to one number per pixel, the last layer in float32."""

    def __init__(self, shape: EncoderShape, *, resize: Resize) -> None:
        super().__init__()
        self.resize = resize
        self.conv1 = nn.Conv2d(shape.features, shape.features // 2, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(shape.features // 2, _HEAD_CHANNELS, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(_HEAD_CHANNELS, 1, kernel_size=1)

    def forward(self, maps: Tensor, rows: int, columns: int) -> Tensor:
        """One number per pixel, not yet activated.

        Args:
            maps: Shape (B, features, h, w).
            rows: Patches from top to bottom.
            columns: Patches from left to right.

        Returns:
            Shape (B, 14 * rows, 14 * columns), in the dtype of the last layer's weights, unbounded.
        """
        size = (PATCH * rows, PATCH * columns)
        maps = enlarge(self.conv1(maps), size, how=self.resize, training=self.training)
        maps = functional.relu(self.conv2(maps))
        with torch.autocast(maps.device.type, enabled=False):
            raw: Tensor = self.conv3(maps.to(self.conv3.weight.dtype))
        return raw.squeeze(1)


def _resizers(channels: Sequence[int]) -> tuple[nn.Module, ...]:
    """What brings the four levels to 4, 2, 1 and 1/2 times the fineness of the patches."""
    first, second, _, fourth = channels
    return (
        nn.ConvTranspose2d(first, first, kernel_size=4, stride=4),
        nn.ConvTranspose2d(second, second, kernel_size=2, stride=2),
        nn.Identity(),
        nn.Conv2d(fourth, fourth, kernel_size=3, stride=2, padding=1),
    )
