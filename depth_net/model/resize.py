"""Bilinear enlargement of feature maps with aligned corners, in two ways that agree.

`torch` scatters the gradient of its own kernel with atomic additions: slow in half precision, different in every run,
and split off from the kernels that a compiler fuses. Written as two products with constant matrices the gradient is two
products with their transposes. Which one is faster is measured by `benchmarks/depth_net/training_step.py`.
"""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional


class Resize(StrEnum):
    """How feature maps are enlarged."""

    KERNEL = "kernel"
    """`torch.nn.functional.interpolate`; exact to float32 rounding in every precision."""
    PRODUCT = "product"
    """Matrix products in training under reduced precision, the kernel otherwise."""


def enlarge(features: Tensor, size: tuple[int, int], *, how: Resize, training: bool) -> Tensor:
    """Bilinear resampling with aligned corners.

    Args:
        features: Shape (B, C, h, w).
        size: Target (H, W).
        how: Kernel or matrix products.
        training: Whether the caller is in training mode; products are used only then, so that validation and
            inference see the exact kernel.

    Returns:
        Shape (B, C, H, W), same dtype.
    """
    reduced = features.dtype in (torch.bfloat16, torch.float16)
    if how is Resize.PRODUCT and training and reduced:
        return enlarge_by_products(features, size)
    return functional.interpolate(features, size=size, mode="bilinear", align_corners=True)


def enlarge_by_products(features: Tensor, size: tuple[int, int]) -> Tensor:
    """The same map as `functional.interpolate(..., align_corners=True)`, as two matrix products.

    The products run over channels-last memory, where both are plain batched matrix products without a copy.

    Args:
        features: Shape (B, C, h, w), best in channels-last memory format.
        size: Target (H, W).

    Returns:
        Shape (B, C, H, W) in channels-last memory format, same dtype; weights are rounded to that dtype.
    """
    batch, channels, height, width = features.shape
    down, across = _weights(height, size[0], features), _weights(width, size[1], features)
    rows = features.permute(0, 2, 3, 1)
    rows = torch.matmul(down, rows.reshape(batch, height, width * channels))
    rows = torch.matmul(across, rows.view(batch, size[0], width, channels))
    return rows.permute(0, 3, 1, 2)


def _weights(source: int, target: int, like: Tensor) -> Tensor:
    """Row `i` holds the weights of the `source` samples in output sample `i`. Shape (target, source), as `like`.

    Computed on the device at each call: a few thousand numbers, which a compiler fuses; a cache would be tied to one
    device.
    """
    step = (source - 1) / (target - 1) if target > 1 else 0.0
    place = torch.arange(target, device=like.device, dtype=torch.float32) * step
    distance = (place[:, None] - torch.arange(source, device=like.device, dtype=torch.float32)).abs()
    return (1 - distance).clamp(min=0).to(like.dtype)
