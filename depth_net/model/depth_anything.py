"""Depth Anything V2, relative and metric: transformers' modules under the parameter names of the published weights.

The modules are built in `depth_net.model.network`. `state_dict()` is in the published layout: `pretrained.*` for the
encoder and `depth_head.*` (relative) or `metric_depth_head.*` (metric) for the head, so that inside a Lightning module
called `model` a checkpoint has the names of the container's. Reading files is in `depth_net.model.weights`; nothing
here touches a disk.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from depth_net.errors import SpecError
from depth_net.model.encoders import ENCODERS, PATCH
from depth_net.model.family import ModelType
from depth_net.model.network import build_network
from depth_net.model.published_state import PublishedState
from depth_net.model.resize import Resize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from depth_net.config.choices import ConvolutionInit

INITIAL_STANDARD_DEVIATION = 0.02
FIRST_RELATIVE_OUTPUT = 0.5
"""Bias of the last layer of a new relative head. With a bias of 0 about every third random head outputs only negative
values before its final ReLU and gets no gradient (measured: 0 of 4 runs with 0.5)."""

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
HEAD_NAMES = {ModelType.RELATIVE: "depth_head", ModelType.METRIC: "metric_depth_head"}


class DepthAnything(PublishedState):
    """Predicts a disparity map (relative) or a depth map in metres (metric) from an RGB image.

    Args:
        encoder: A name in `ENCODERS`.
        model_type: The family; decides the last activation and the name of the head.
        max_depth_m: Upper end of metric depth in metres, > 0; must be None for the relative family.
        convolution_init: How new convolutions are drawn: PyTorch's default, as the published head was trained, or
            the normal distribution (sd 0.02) that transformers uses.
        activation_checkpointing: Keep only the input of each transformer block for the backward pass.
        resize: How feature maps are enlarged in training.

    Raises:
        SpecError: unknown encoder, or a depth range that does not belong to the family.
    """

    network: Any
    """`DepthAnythingForDepthEstimation`; its modules lack usable annotations."""

    def __init__(
        self,
        *,
        encoder: str,
        model_type: ModelType,
        max_depth_m: float | None,
        convolution_init: ConvolutionInit = "pytorch",
        activation_checkpointing: bool = False,
        resize: Resize = Resize.KERNEL,
    ) -> None:
        _check(encoder, model_type, max_depth_m)
        super().__init__(build_network(ENCODERS[encoder], resize=resize), HEAD_NAMES[model_type])
        self.encoder_name = encoder
        self.model_type = model_type
        self.max_depth_m = max_depth_m
        self.shape = ENCODERS[encoder]
        self.activation_checkpointing = activation_checkpointing
        self._freeze_unused_parameters()
        self._draw_initial_weights(convolution_init)

    def forward(self, images: Tensor) -> Tensor:
        """Predict one map per image.

        Args:
            images: RGB, normalised, shape (B, 3, H, W); H and W multiples of 14.

        Returns:
            Shape (B, H, W), float32 also under autocast. Relative: disparity up to scale and shift, >= 0. Metric:
            depth in metres, in [0, max_depth_m].

        Raises:
            ValueError: the shape is not (B, 3, 14 m, 14 n).
        """
        height, width = _image_size(images)
        return self.predict(images, height // PATCH, width // PATCH)

    def predict(self, images: Tensor, rows: int, columns: int) -> Tensor:
        """Do the same as `forward` for images of ``rows`` x ``columns`` patches, whose shape is not checked."""
        fused = self.network.neck(self._tapped_tokens(images), rows, columns)
        raw: Tensor = self.network.head(fused, rows, columns)
        if self.max_depth_m is None:
            return functional.relu(raw)
        return torch.sigmoid(raw) * self.max_depth_m

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """Trainable parameters of the encoder: those that train at the base learning rate."""
        return (parameter for parameter in self.network.backbone.parameters() if parameter.requires_grad)

    def encoder_layers(self) -> list[list[nn.Parameter]]:
        """Trainable parameters of the encoder by layer, from the last block, with the final norm, to the embeddings."""
        backbone = self.network.backbone
        first, *others = reversed([*backbone.encoder.layer])
        layers = [[backbone.layernorm, first], *([block] for block in others), [backbone.embeddings]]
        return [[p for part in layer for p in part.parameters() if p.requires_grad] for layer in layers]

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Trainable parameters of neck and head: those that train at a multiple of the base learning rate."""
        parameters = chain(self.network.neck.parameters(), self.network.head.parameters())
        return (parameter for parameter in parameters if parameter.requires_grad)

    def use_channels_last(self) -> None:
        """Keep the weights of convolutions after the encoder in channels-last memory, which is faster on GPUs."""
        for part in (self.network.neck, self.network.head):
            part.to(memory_format=torch.channels_last)

    def compile_parts(self) -> None:
        """Compile one transformer block, which serves all of them, the neck and the head, each when it first runs.

        In a graph of the whole model, the compiler would treat every block as different.
        """
        for part in (*self.network.backbone.encoder.layer, self.network.neck, self.network.head):
            part.compile()

    def _tapped_tokens(self, images: Tensor) -> list[Tensor]:
        """Four normalised token maps (B, 1 + rows * columns, width), from shallow to deep.

        The backbone's own forward does the same, but records every block's output through hooks, which costs memory
        and breaks the compiler's graphs.
        """
        backbone = self.network.backbone
        tokens = backbone.embeddings(images)
        taps = []
        for index, block in enumerate(backbone.encoder.layer):
            if self.activation_checkpointing and self.training:
                # A block uses no random numbers, so the generator state is not needed for the second forward pass.
                tokens = checkpoint(block, tokens, use_reentrant=False, preserve_rng_state=False)
            else:
                tokens = block(tokens)
            if index in self.shape.taps:
                taps.append(backbone.layernorm(tokens))
        return taps

    def _freeze_unused_parameters(self) -> None:
        """Freeze published but unused parameters, so that DistributedDataParallel does not wait for their gradients.

        These are the mask token, read by pre-training only, and the unit for a skip connection in the deepest stage.
        """
        self.network.backbone.embeddings.mask_token.requires_grad_(requires_grad=False)
        self.network.neck.fusion_stage.layers[0].residual_layer1.requires_grad_(requires_grad=False)

    def _draw_initial_weights(self, convolution_init: ConvolutionInit) -> None:
        drawn_normally = (nn.Linear, *_CONVOLUTIONS) if convolution_init == "transformers" else (nn.Linear,)
        for module in self.network.modules():
            if isinstance(module, drawn_normally):
                _draw_normal(module)
            elif isinstance(module, (nn.LayerNorm, *_CONVOLUTIONS)):
                module.reset_parameters()
        embeddings = self.network.backbone.embeddings
        nn.init.trunc_normal_(embeddings.position_embeddings, std=INITIAL_STANDARD_DEVIATION)
        nn.init.trunc_normal_(embeddings.cls_token, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(embeddings.mask_token)
        for block in self.network.backbone.encoder.layer:
            nn.init.ones_(block.layer_scale1.lambda1)
            nn.init.ones_(block.layer_scale2.lambda1)
        if self.model_type is ModelType.RELATIVE:
            nn.init.constant_(self.network.head.conv3.bias, FIRST_RELATIVE_OUTPUT)


def _draw_normal(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> None:
    nn.init.trunc_normal_(layer.weight, std=INITIAL_STANDARD_DEVIATION)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _image_size(images: Tensor) -> tuple[int, int]:
    height, width = int(images.shape[-2]), int(images.shape[-1])
    if images.ndim != 4 or images.shape[1] != 3 or height % PATCH or width % PATCH or not height or not width:  # noqa: PLR2004  # B, 3, H, W
        message = (
            f"the model got images of shape {tuple(images.shape)}; expected (batch, 3, height, width) with height and "
            f"width multiples of {PATCH}, e.g. {_nearest(height)}x{_nearest(width)}"
        )
        raise ValueError(message)
    return height, width


def _nearest(side: int) -> int:
    return max(PATCH, round(side / PATCH) * PATCH)


def _check(encoder: str, model_type: ModelType, max_depth_m: float | None) -> None:
    if encoder not in ENCODERS:
        raise SpecError(f"model.encoder: found {encoder!r}; expected one of {', '.join(ENCODERS)}")
    if model_type is ModelType.METRIC and (max_depth_m is None or not max_depth_m > 0):
        raise SpecError(
            f"dataset.max_depth: found {max_depth_m}; expected a depth in metres above 0, because the metric model "
            "predicts a fraction of it; fix: set dataset.max_depth, e.g. 10 for indoor scenes or 80 for roads"
        )
    if model_type is ModelType.RELATIVE and max_depth_m is not None:
        raise SpecError(
            f"dataset.max_depth: found {max_depth_m} with the relative model; expected none, because disparity has no "
            "unit; fix: remove dataset.max_depth or choose model.model_type MetricDepthAnything"
        )
