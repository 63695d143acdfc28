"""Parameter names: the published layout, and its translation from and to that of transformers.

The published layout (`pretrained.*`, `depth_head.*`) is that of our checkpoints. transformers, whose modules compute,
splits the joint query, key and value matrix in three and the two halves of SwiGLU in two, and has renamed its modules
between releases; both of its vocabularies are read, and either can be written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING

from depth_net.model.rows import join_rows, split_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

ENCODER_PREFIX = "pretrained."
HEAD_PREFIX = "depth_head."
METRIC_HEAD_PREFIX = "metric_depth_head."
STAGES = 4
_WRAPPERS = ("_forward_module.", "_fsdp_wrapped_module.", "_orig_mod.")
"""Parts of names that strategies, FSDP and the compiler insert."""


class TransformersNames(StrEnum):
    """Vocabulary of a transformers checkpoint."""

    CLASSIC = "classic"
    """That of the public files and of releases up to 5.17; newer ones read it too."""
    CURRENT = "current"
    """That of `state_dict()` in 5.23."""


_FUSED = {
    "q": ("attn.qkv", 0),
    "k": ("attn.qkv", 1),
    "v": ("attn.qkv", 2),
    "gate": ("mlp.w12", 0),
    "up": ("mlp.w12", 1),
}
"""transformers' part of a block -> published matrix and the position of the part in its rows."""

_BLOCK_NAMES = {
    TransformersNames.CLASSIC: {
        "q": "attention.attention.query",
        "k": "attention.attention.key",
        "v": "attention.attention.value",
        "attn.proj": "attention.output.dense",
        "mlp.w12": "mlp.weights_in",
        "mlp.w3": "mlp.weights_out",
    },
    TransformersNames.CURRENT: {
        "q": "attention.q_proj",
        "k": "attention.k_proj",
        "v": "attention.v_proj",
        "attn.proj": "attention.o_proj",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "mlp.w3": "mlp.down_proj",
    },
}
_SHARED_BLOCK_NAMES = {
    "norm1": "norm1",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "ls1.gamma": "layer_scale1.lambda1",
    "ls2.gamma": "layer_scale2.lambda1",
}
_OUTSIDE_BLOCKS = {
    "pretrained.cls_token": "backbone.embeddings.cls_token",
    "pretrained.mask_token": "backbone.embeddings.mask_token",
    "pretrained.pos_embed": "backbone.embeddings.position_embeddings",
    "pretrained.patch_embed.proj": "backbone.embeddings.patch_embeddings.projection",
    "pretrained.norm": "backbone.layernorm",
    "depth_head.scratch.output_conv1": "head.conv1",
    "depth_head.scratch.output_conv2.0": "head.conv2",
    "depth_head.scratch.output_conv2.2": "head.conv3",
}
for _stage in range(STAGES):
    _fusion = f"neck.fusion_stage.layers.{STAGES - 1 - _stage}"
    _refine = f"depth_head.scratch.refinenet{_stage + 1}"
    _OUTSIDE_BLOCKS |= {
        f"depth_head.projects.{_stage}": f"neck.reassemble_stage.layers.{_stage}.projection",
        f"depth_head.resize_layers.{_stage}": f"neck.reassemble_stage.layers.{_stage}.resize",
        f"depth_head.scratch.layer{_stage + 1}_rn": f"neck.convs.{_stage}",
        f"{_refine}.out_conv": f"{_fusion}.projection",
    }
    for _unit in (1, 2):
        for _convolution in (1, 2):
            _OUTSIDE_BLOCKS[f"{_refine}.resConfUnit{_unit}.conv{_convolution}"] = (
                f"{_fusion}.residual_layer{_unit}.convolution{_convolution}"
            )

_TRANSFORMERS_BLOCK = re.compile(r"^backbone\.encoder\.layer\.(\d+)\.(.+?)(\.weight|\.bias)?$")
_PUBLISHED_BLOCK = re.compile(r"^pretrained\.blocks\.(\d+)\.(.+?)(\.weight|\.bias)?$")
_SUFFIX = re.compile(r"^(.+?)(\.weight|\.bias)?$")


def without_wrappers(name: str) -> str:
    """Return a name as it is in the bare module."""
    for part in _WRAPPERS:
        name = name.replace(part, "")
    return name


def is_transformers(names: Mapping[str, object]) -> bool:
    """Whether the names are those of a transformers Depth Anything checkpoint."""
    return "backbone.embeddings.position_embeddings" in names


def to_original_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state in the published layout; one that is in it already comes back unchanged.

    Args:
        state: transformers' names of either vocabulary, or published ones (with either name of the head).

    Returns:
        Published names. The head is called ``depth_head`` when it comes from transformers. Unknown names
        are kept, so that the model that refuses them can list them.
    """
    if not is_transformers(state):
        return dict(state)
    sources = parts_of_published(state)
    return {name: join_rows([state[part] for part in parts]) for name, parts in sources.items()}


def parts_of_published(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Say which of transformers' parameters make up each published one.

    Args:
        names: transformers' names of either vocabulary.

    Returns:
        Published name -> the parts whose rows, one after the other, are its rows; one part for most. The head is called
        ``depth_head``. Unknown names map to themselves.
    """
    to_published = {theirs: ours for ours, theirs in _OUTSIDE_BLOCKS.items()}
    in_block = {theirs: ours for ours, theirs in _SHARED_BLOCK_NAMES.items()}
    for vocabulary in _BLOCK_NAMES.values():
        in_block |= {theirs: ours for ours, theirs in vocabulary.items()}
    parts: dict[str, dict[int, str]] = defaultdict(dict)
    for name in names:
        block = _TRANSFORMERS_BLOCK.match(name)
        if block is None:
            parts[_rename(name, to_published.get)][0] = name
            continue
        index, inner, suffix = block.group(1), block.group(2), block.group(3) or ""
        ours = in_block.get(inner, inner)
        matrix, position = _FUSED.get(ours, (ours, 0))
        parts[f"pretrained.blocks.{index}.{matrix}{suffix}"][position] = name
    return {name: tuple(rows[position] for position in sorted(rows)) for name, rows in parts.items()}


def to_transformers_keys(state: Mapping[str, Tensor], names: TransformersNames) -> dict[str, Tensor]:
    """Return a state in the layout of transformers; the exact inverse of `to_original_keys`.

    Args:
        state: Published names, with either name of the head.
        names: The vocabulary to write.

    Returns:
        transformers' names. Split matrices are views of the given ones.
    """
    theirs_of = _SHARED_BLOCK_NAMES | _BLOCK_NAMES[names]
    result: dict[str, Tensor] = {}
    for name, tensor in state.items():
        published = name.replace(METRIC_HEAD_PREFIX, HEAD_PREFIX, 1) if name.startswith(METRIC_HEAD_PREFIX) else name
        block = _PUBLISHED_BLOCK.match(published)
        if block is None:
            result[_rename(published, _OUTSIDE_BLOCKS.get)] = tensor
            continue
        index, inner, suffix = block.group(1), block.group(2), block.group(3) or ""
        prefix = f"backbone.encoder.layer.{index}."
        parts = [part for part, (matrix, _) in _FUSED.items() if matrix == inner and part in theirs_of]
        if parts:
            for part, rows in zip(parts, split_rows(tensor, len(parts)), strict=True):
                result[f"{prefix}{theirs_of[part]}{suffix}"] = rows
        else:
            result[f"{prefix}{theirs_of.get(inner, inner)}{suffix}"] = tensor
    return result


def _rename(name: str, table: Callable[[str], str | None]) -> str:
    match = _SUFFIX.match(name)
    stem, suffix = (match.group(1), match.group(2) or "") if match else (name, "")
    renamed = table(stem)
    return name if renamed is None else renamed + suffix
