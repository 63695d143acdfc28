"""Depth Anything V2 written a second time, from its description, as plainly as possible.

The reference for `depth_net.model`: the tests compare predictions with it, the benchmarks compare speed and memory. It
shares no code with the package. Attention is a softmax over an explicit score matrix, every stage enlarges before it
projects, and all layers follow autocast, as in the published code. Parameter names are the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Sizes:
    """Dimensions as published: width, blocks, heads, head features, neck channels, tapped blocks."""

    width: int
    depth: int
    heads: int
    features: int
    neck: tuple[int, ...]
    taps: tuple[int, ...]
    swiglu: bool = False
    grid: int = 37


SIZES = {
    "vits": Sizes(384, 12, 6, 64, (48, 96, 192, 384), (2, 5, 8, 11)),
    "vitb": Sizes(768, 12, 12, 128, (96, 192, 384, 768), (2, 5, 8, 11)),
    "vitl": Sizes(1024, 24, 16, 256, (256, 512, 1024, 1024), (4, 11, 17, 23)),
    "vitg": Sizes(1536, 40, 24, 384, (1536, 1536, 1536, 1536), (9, 19, 29, 39), swiglu=True),
    "vit_tiny": Sizes(64, 4, 4, 16, (16, 16, 32, 32), (0, 1, 2, 3), grid=5),
}


class PublishedModel(nn.Module):
    """RGB (B, 3, H, W) to disparity or, with a depth range, metres (B, H, W)."""

    def __init__(self, encoder: str, max_depth_m: float | None = None) -> None:
        super().__init__()
        sizes = SIZES[encoder]
        self.max_depth_m = max_depth_m
        self.pretrained = _Encoder(sizes)
        setattr(self, "depth_head" if max_depth_m is None else "metric_depth_head", _Head(sizes))

    def forward(self, images: Tensor) -> Tensor:
        """Predict; H and W must be multiples of 14."""
        rows, columns = images.shape[-2] // 14, images.shape[-1] // 14
        taps = self.pretrained(images)
        if self.max_depth_m is None:
            head: Any = self.depth_head
            return head(taps, rows, columns).relu().squeeze(1)  # type: ignore[no-any-return]
        head = self.metric_depth_head
        return (head(taps, rows, columns).sigmoid() * self.max_depth_m).squeeze(1)  # type: ignore[no-any-return]


class _Encoder(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, sizes.grid**2 + 1, sizes.width))
        self.mask_token = nn.Parameter(torch.zeros(1, sizes.width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, sizes.width, 14, stride=14)
        self.blocks = nn.ModuleList(_Block(sizes) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width, eps=1e-6)

    def forward(self, images: Tensor) -> list[Tensor]:
        batch, _, height, width = images.shape
        patches: Any = self.patch_embed.proj
        x = patches(images).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.cls_token.repeat(batch, 1, 1), x], 1) + self._positions(height // 14, width // 14)
        outputs = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.sizes.taps:
                outputs.append(self.norm(x)[:, 1:])
        return outputs

    def _positions(self, rows: int, columns: int) -> Tensor:
        grid = self.sizes.grid
        if rows == grid and columns == grid:
            return self.pos_embed
        square = self.pos_embed[:, 1:].view(1, grid, grid, self.sizes.width).permute(0, 3, 1, 2)
        resampled = functional.interpolate(
            square, scale_factor=((rows + 0.1) / grid, (columns + 0.1) / grid), mode="bicubic", align_corners=False
        )
        return torch.cat([self.pos_embed[:, :1], resampled.permute(0, 2, 3, 1).reshape(1, -1, self.sizes.width)], 1)


class _Block(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.swiglu = sizes.swiglu
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.ls1 = nn.ParameterDict({"gamma": nn.Parameter(torch.ones(width))})
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        if sizes.swiglu:
            hidden = (int(width * 4 * 2 / 3) + 7) // 8 * 8
            self.mlp = nn.ModuleDict({"w12": nn.Linear(width, 2 * hidden), "w3": nn.Linear(hidden, width)})
        else:
            self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls2 = nn.ParameterDict({"gamma": nn.Parameter(torch.ones(width))})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1["gamma"] * self._attend(self.norm1(x))
        return x + self.ls2["gamma"] * self._feed(self.norm2(x))  # type: ignore[no-any-return]

    def _attend(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        qkv = self.attn["qkv"](x).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0] * (width // self.heads) ** -0.5, qkv[1], qkv[2]
        scores = (query @ key.transpose(-2, -1)).softmax(-1)
        return self.attn["proj"]((scores @ value).transpose(1, 2).reshape(batch, count, width))  # type: ignore[no-any-return]

    def _feed(self, x: Tensor) -> Tensor:
        if self.swiglu:
            first, second = self.mlp["w12"](x).chunk(2, -1)
            return self.mlp["w3"](functional.silu(first) * second)  # type: ignore[no-any-return]
        return self.mlp["fc2"](functional.gelu(self.mlp["fc1"](x)))  # type: ignore[no-any-return]


class _Head(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        features, neck = sizes.features, sizes.neck
        self.projects = nn.ModuleList(nn.Conv2d(sizes.width, channels, 1) for channels in neck)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(neck[0], neck[0], 4, stride=4),
                nn.ConvTranspose2d(neck[1], neck[1], 2, stride=2),
                nn.Identity(),
                nn.Conv2d(neck[3], neck[3], 3, stride=2, padding=1),
            ]
        )
        scratch: dict[str, nn.Module] = {}
        for level in (1, 2, 3, 4):
            scratch[f"layer{level}_rn"] = nn.Conv2d(neck[level - 1], features, 3, padding=1, bias=False)
            scratch[f"refinenet{level}"] = nn.ModuleDict(
                {
                    "out_conv": nn.Conv2d(features, features, 1),
                    "resConfUnit1": _residual(features),
                    "resConfUnit2": _residual(features),
                }
            )
        scratch["output_conv1"] = nn.Conv2d(features, features // 2, 3, padding=1)
        scratch["output_conv2"] = nn.Sequential(
            nn.Conv2d(features // 2, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 1)
        )
        self.scratch = nn.ModuleDict(scratch)

    def forward(self, taps: list[Tensor], rows: int, columns: int) -> Tensor:
        maps = []
        for level, tokens in enumerate(taps):
            square = tokens.permute(0, 2, 1).reshape(tokens.shape[0], -1, rows, columns)
            maps.append(self.scratch[f"layer{level + 1}_rn"](self.resize_layers[level](self.projects[level](square))))
        path = self._fuse(4, maps[3], None, maps[2].shape[2:])
        path = self._fuse(3, path, maps[2], maps[1].shape[2:])
        path = self._fuse(2, path, maps[1], maps[0].shape[2:])
        path = self._fuse(1, path, maps[0], None)
        out = self.scratch["output_conv1"](path)
        out = functional.interpolate(out, (14 * rows, 14 * columns), mode="bilinear", align_corners=True)
        return self.scratch["output_conv2"](out)  # type: ignore[no-any-return]

    def _fuse(self, level: int, path: Tensor, skip: Tensor | None, size: torch.Size | None) -> Tensor:
        stage: Any = self.scratch[f"refinenet{level}"]
        if skip is not None:
            path = path + _refine(stage["resConfUnit1"], skip)
        path = _refine(stage["resConfUnit2"], path)
        target = {"scale_factor": 2} if size is None else {"size": size}
        return stage["out_conv"](functional.interpolate(path, **target, mode="bilinear", align_corners=True))  # type: ignore[no-any-return]


def _residual(features: int) -> nn.ModuleDict:
    return nn.ModuleDict({f"conv{index}": nn.Conv2d(features, features, 3, padding=1) for index in (1, 2)})


def _refine(unit: Any, x: Tensor) -> Tensor:  # noqa: ANN401  # a ModuleDict that mypy sees as a Module
    return unit["conv2"](unit["conv1"](x.relu()).relu()) + x  # type: ignore[no-any-return]
