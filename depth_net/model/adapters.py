"""Low-rank adapters on linear layers (LoRA).

An adapter adds ``SCALE * B A`` to a frozen matrix. A state of the model has the sum in its published place, so every
reader of a checkpoint, and every export, sees a plain model; a run that is resumed gets matrix and factors back from
`adapter_state`. In evaluation mode the sum is what computes, so that a validation scores exactly what is written.

Source of the adapters: Hu et al. 2021 (arXiv:2106.09685), with alpha = 2 * rank.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SCALE: Final = 2.0
"""Factor of the adapter; the learning rate does the rest."""
_A: Final = ".lora_a"
_B: Final = ".lora_b"
_WEIGHT: Final = ".weight"


class AdaptedLinear(nn.Linear):
    """A linear layer with an adapter; an existing layer becomes one by `adapt`."""

    lora_a: nn.Parameter
    """Shape (rank, in_features)."""
    lora_b: nn.Parameter
    """Shape (out_features, rank); zeros at first."""

    def forward(self, values: Tensor) -> Tensor:
        """Apply the layer to values of shape (..., in_features)."""
        if not self.training:
            return functional.linear(values, merged(self.weight, self.lora_a, self.lora_b), self.bias)
        low_rank = functional.linear(functional.linear(values, self.lora_a), self.lora_b)
        return functional.linear(values, self.weight, self.bias) + SCALE * low_rank


def adapt(layer: nn.Linear, rank: int) -> None:
    """Freeze a linear layer and give it an adapter, in place; its output stays the same at first."""
    like = layer.weight.detach()
    layer.requires_grad_(requires_grad=False)
    layer.lora_a = nn.Parameter(like.new_empty(rank, layer.in_features))
    layer.lora_b = nn.Parameter(like.new_zeros(layer.out_features, rank))
    nn.init.kaiming_uniform_(layer.lora_a, a=math.sqrt(5))
    layer.__class__ = AdaptedLinear


def merged(weight: Tensor, lora_a: Tensor, lora_b: Tensor) -> Tensor:
    """Return the matrix that a linear layer with this adapter applies."""
    return torch.addmm(weight, lora_b.to(weight.dtype), lora_a.to(weight.dtype), alpha=SCALE)


def merge_adapters(state: MutableMapping[str, Tensor], prefix: str) -> None:
    """Replace matrices and factors of adapted layers by their sums, in place, under live names that begin so."""
    for name in [each for each in state if each.startswith(prefix) and each.endswith(_A)]:
        layer = name.removesuffix(_A)
        factors = state.pop(name), state.pop(layer + _B)
        state[layer + _WEIGHT] = merged(state[layer + _WEIGHT], *factors)


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Return matrices and factors of a model's adapters by their live names; empty without adapters."""
    live = {name: parameter.detach() for name, parameter in model.named_parameters()}
    layers = [name.removesuffix(_A) for name in live if name.endswith(_A)]
    return {layer + part: live[layer + part] for layer in layers for part in (_WEIGHT, _A, _B)}
