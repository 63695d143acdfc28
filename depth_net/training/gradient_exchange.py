"""Gradients averaged over the processes of a run while the backward pass goes on, in a way that can be recorded.

What DistributedDataParallel does, without its forward pass around the model and its state on the host, which a CUDA
graph cannot follow. Gradients are gathered in buckets in the order in which the backward pass gives them, and each
bucket is averaged as soon as it is full.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import torch
from lightning.pytorch.overrides.distributed import _sync_module_states
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

BUCKET_BYTES: Final = 32 << 20


class ExchangeStrategy(DDPStrategy):
    """Starts the processes of a run as DDP does, with equal weights, and leaves the gradients to `GradientExchange`."""

    @override
    def configure_ddp(self) -> None:
        if self.model is not None:
            _sync_module_states(self.model)


class GradientExchange:
    """Averages the gradients of one optimiser step.

    Args:
        parameters: All that are trained, in the order of the forward pass; each has a gradient after a backward pass.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._is_on = False
        self._work: list[Any] = []
        self._buckets = [_Bucket(part) for part in _split(parameters)]
        for bucket in self._buckets:
            for parameter in bucket.parameters:
                hook = partial(self._arrived, bucket)
                parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]  # torch annotates in part

    def begin(self) -> None:
        """Exchange the gradients of the next backward pass."""
        self._is_on = True
        for bucket in self._buckets:
            bucket.missing = len(bucket.parameters)

    def finish(self) -> None:
        """Give each parameter the mean gradient of all processes."""
        self._is_on = False
        for bucket in self._buckets:
            if bucket.missing:
                raise RuntimeError(f"{bucket.missing} parameters got no gradient; each trained parameter needs one")
        for work in self._work:
            work.wait()
        self._work.clear()
        for bucket in self._buckets:
            bucket.hand_over()

    def _arrived(self, bucket: _Bucket, _: Tensor) -> None:
        if self._is_on:
            bucket.missing -= 1
            if not bucket.missing:
                self._work.append(bucket.average())


class _Bucket:
    """Parameters whose gradients lie side by side in one tensor."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.missing = 0
        self._flat = parameters[0].new_zeros(sum(each.numel() for each in parameters))
        parts = torch.split(self._flat, [each.numel() for each in parameters])
        # In the memory layout of the parameters, as the fused optimiser needs it.
        self._views = [part.as_strided(each.shape, each.stride()) for part, each in zip(parts, parameters, strict=True)]

    def average(self) -> Any:  # noqa: ANN401 - a handle that PyTorch does not type
        gradients: list[Tensor] = [each.grad for each in self.parameters if each.grad is not None]
        torch._foreach_copy_(self._views, gradients)
        # Gloo has no mean.
        self._flat.div_(distributed.get_world_size())
        return distributed.all_reduce(self._flat, async_op=True)

    def hand_over(self) -> None:
        for parameter, view in zip(self.parameters, self._views, strict=True):
            parameter.grad = view


def _split(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Put parameters into buckets, the last of the forward pass first."""
    buckets: list[list[nn.Parameter]] = [[]]
    size = 0
    for parameter in reversed(parameters):
        if size >= BUCKET_BYTES:
            buckets.append([])
            size = 0
        buckets[-1].append(parameter)
        size += parameter.nbytes
    return buckets
