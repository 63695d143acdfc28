"""The network: `DepthAnythingForDepthEstimation` of transformers, with three of its modules computing differently.

The layers, their arrangement and their parameters are transformers'. What is overridden, without changing any weight:
position embeddings are resampled as in the published model; the neck projects before it enlarges (both are linear and
the enlargement weights sum to one, so they commute; it is then four times cheaper) and keeps the channels-last memory
in which tokens arrive; the last layer runs in float32 under autocast, because depth in bfloat16 has steps of 0.4 %.

The only door to transformers. Its two configurations and two models are imported by module, which takes a second
instead of the several that the package's front page can take.
"""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from depth_net.model.encoders import PATCH
from depth_net.model.resize import Resize, enlarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from depth_net.model.encoders import EncoderShape


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Hide a top-level package from the imports inside the block; one that has been imported already stays visible.

    transformers then behaves as if a library that it needs only for features we do not use were not installed.

    Args:
        name: The package; afterwards it can be imported as usual.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # documented: None makes an import fail and find_spec return None
    try:
        yield
    finally:
        del sys.modules[name]


# transformers imports torchao for its own quantisers (two CPU-seconds and five warnings in every log), scipy for losses
# of detectors (half a second) and scikit-learn, which needs scipy, for text.
with hidden("torchao"), hidden("sklearn"), hidden("scipy"):
    from transformers.initialization import no_init_weights
    from transformers.models.depth_anything.configuration_depth_anything import DepthAnythingConfig
    from transformers.models.depth_anything.modeling_depth_anything import (
        DepthAnythingDepthEstimationHead,
        DepthAnythingForDepthEstimation,
        DepthAnythingNeck,
    )
    from transformers.models.dinov2.configuration_dinov2 import Dinov2Config
    from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings


NORM_EPSILON = 1e-6
POSITION_OFFSET = 0.1
"""Patches added to the target grid before the scale factor is taken, by the published model. It shifts every sampling
point of the position embeddings; without it, as in transformers, predictions at sizes other than the training size
differ by 7 % of their standard deviation."""


def build_network(shape: EncoderShape, *, resize: Resize) -> DepthAnythingForDepthEstimation:
    """Build the network on the default device without drawing its weights: every parameter is uninitialised memory.

    Args:
        shape: Widths and depths.
        resize: How the neck and the head enlarge feature maps in training.
    """
    config = configure(shape)
    device = torch.get_default_device()
    with torch.device("meta"), no_init_weights():  # transformers would draw all weights in a way that is not ours
        network: Any = DepthAnythingForDepthEstimation(config)
        network.backbone.embeddings = PublishedEmbeddings(network.backbone.config)
        network.neck = ProjectingNeck(config, resize=resize)
        network.head = Float32Head(config, resize=resize)
    for module in network.modules():
        # They record hidden states for transformers' own forward, which is unused, and the compiler cannot trace them.
        module._forward_hooks.clear()  # noqa: SLF001  # PyTorch has no other way to remove hooks of others
    # As `to_empty`, which is ten times slower: its empty_like works out the layout of each tensor in Python.
    network._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype, device=device))  # noqa: SLF001
    return cast("DepthAnythingForDepthEstimation", network)


def configure(shape: EncoderShape) -> DepthAnythingConfig:
    """Describe an encoder and its head in transformers' terms.

    The depth range is left out: transformers accepts whole metres only, so the caller scales.
    """
    make_backbone: Any = Dinov2Config  # its annotations lack the inherited arguments
    backbone = make_backbone(
        image_size=PATCH * shape.grid,
        patch_size=PATCH,
        hidden_size=shape.width,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        mlp_ratio=4,
        layer_norm_eps=NORM_EPSILON,
        use_swiglu_ffn=shape.swiglu,
        out_indices=[tap + 1 for tap in shape.taps],
        apply_layernorm=True,
        reshape_hidden_states=False,
        attn_implementation="sdpa",
    )
    return DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=PATCH,
        reassemble_hidden_size=shape.width,
        neck_hidden_sizes=list(shape.neck),
        fusion_hidden_size=shape.features,
    )


class PublishedEmbeddings(Dinov2Embeddings):
    """transformers' embeddings, resampled where the published model samples them."""

    has_open_size = False
    """A tracer follows the size of the image, so that an exported file takes any."""

    def interpolate_pos_encoding(self, embeddings: Tensor, height: int, width: int) -> Tensor:
        """Position embeddings for an image of `height` x `width` pixels; `embeddings` is not read."""
        del embeddings
        if self.has_open_size:
            return position_embedding_by_products(self.position_embeddings, height // PATCH, width // PATCH)
        # A tracer hands tensors over; in an exported file the size of the input is fixed.
        return position_embedding(self.position_embeddings, int(height) // PATCH, int(width) // PATCH)


class ProjectingNeck(DepthAnythingNeck):
    """transformers' neck; each fusion stage projects before it enlarges."""

    def __init__(self, config: DepthAnythingConfig, *, resize: Resize) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]  # transformers annotates in part
        self.resize = resize

    def forward(
        self, hidden_states: list[Tensor], patch_height: int | None = None, patch_width: int | None = None
    ) -> list[Tensor]:
        """Fuse four token maps.

        Args:
            hidden_states: Four tensors of shape (B, 1 + rows * columns, width), from shallow to deep; the class token
                first.
            patch_height: Patches from top to bottom, ``rows``.
            patch_width: Patches from left to right, ``columns``.

        Returns:
            The finest fused map alone, shape (B, features, 8 * rows, 8 * columns).
        """
        rows, columns = cast("int", patch_height), cast("int", patch_width)
        skips = [self._skip(level, tokens, rows, columns) for level, tokens in enumerate(hidden_states)]
        running: Tensor | None = None
        stages: Any = self.fusion_stage.layers
        for depth, (stage, skip) in enumerate(zip(stages, reversed(skips), strict=True)):
            running = skip if running is None else running + stage.residual_layer1(skip)
            running = stage.projection(stage.residual_layer2(running))
            # The next shallower map is two or four times finer than the patches; the last stage doubles once more.
            size = (2**depth * rows, 2**depth * columns)
            running = enlarge(running, size, how=self.resize, training=self.training)
        return [cast("Tensor", running)]

    def _skip(self, level: int, tokens: Tensor, rows: int, columns: int) -> Tensor:
        maps = tokens[:, 1:].reshape(tokens.shape[0], rows, columns, tokens.shape[2]).permute(0, 3, 1, 2)
        return self.convs[level](self.reassemble_stage.layers[level](maps))  # type: ignore[no-any-return]


class Float32Head(DepthAnythingDepthEstimationHead):
    """transformers' head without its final activation, the last layer in float32."""

    def __init__(self, config: DepthAnythingConfig, *, resize: Resize) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]  # transformers annotates in part
        self.resize = resize

    def forward(self, hidden_states: list[Tensor], patch_height: int, patch_width: int) -> Tensor:
        """One number per pixel, not yet activated.

        Args:
            hidden_states: Maps of which the last is read, shape (B, features, h, w).
            patch_height: Patches from top to bottom.
            patch_width: Patches from left to right.

        Returns:
            Shape (B, 14 * patch_height, 14 * patch_width), in the dtype of the last layer's weights, unbounded.
        """
        size = (PATCH * patch_height, PATCH * patch_width)
        maps = enlarge(self.conv1(hidden_states[-1]), size, how=self.resize, training=self.training)
        maps = self.activation1(self.conv2(maps))
        with torch.autocast(maps.device.type, enabled=False):
            return self.conv3(maps.to(self.conv3.weight.dtype)).squeeze(1)  # type: ignore[no-any-return]


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


def position_embedding_by_products(learned: Tensor, rows: Any, columns: Any) -> Tensor:  # noqa: ANN401 - see below
    """The same map as `position_embedding`, as products that a tracer follows for any grid; the arguments are the same.

    ``rows`` and ``columns`` are integers, or what a tracer takes for them.
    """
    grid = math.isqrt(learned.shape[1] - 1)
    # The learned grid itself is not resampled.
    offset = POSITION_OFFSET * ((rows != grid) | (columns != grid))
    patches = learned[0, 1:].reshape(grid, -1)
    tall = torch.matmul(_cubic_weights(grid, rows, offset, learned), patches).reshape(-1, grid, learned.shape[2])
    resampled = torch.matmul(_cubic_weights(grid, columns, offset, learned), tall)
    return torch.cat((learned[:, :1], resampled.reshape(1, -1, learned.shape[2])), dim=1)


def _cubic_weights(source: int, target: Any, offset: Any, like: Tensor) -> Tensor:  # noqa: ANN401 - as above
    """Row ``i`` holds the weights of ``source`` samples in output sample ``i``, as bicubic interpolation has them.

    Shape (target, source). Samples beyond the border are those of the border. The kernel is Keys' with a = -0.75.
    """
    scale = (target + offset) / source
    place = (torch.arange(target, device=like.device).to(torch.float64) + 0.5) / scale - 0.5
    before = place.floor()
    part = place - before
    weights = torch.zeros((), device=like.device, dtype=torch.float64)
    for tap in (-1, 0, 1, 2):
        distance = (part - tap).abs()[:, None]
        near = (1.25 * distance - 2.25) * distance * distance + 1
        far = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
        column = (before + tap).clamp(0, source - 1)[:, None]
        there = column == torch.arange(source, device=like.device)
        weights = weights + torch.where(distance <= 1, near, far) * there
    return weights.to(like.dtype)
