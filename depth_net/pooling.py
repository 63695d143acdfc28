"""Sums over all processes of a run. Not by torchmetrics, whose import takes seconds in every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import distributed

if TYPE_CHECKING:
    from torch import Tensor


def pool(values: Tensor, *, largest: bool = False) -> Tensor:
    """Return the sum, or the largest, of a tensor over all processes; every process of the run has to call it.

    Args:
        values: Of one shape and dtype in all processes; not changed. A process may have it on another device than the
            others, as one that had nothing to add.
        largest: The largest value instead of the sum.
    """
    if count_processes() == 1:
        return values
    shared = values.detach().clone()
    if distributed.get_backend() == distributed.Backend.NCCL:
        shared = shared.cuda()
    distributed.all_reduce(shared, op=distributed.ReduceOp.MAX if largest else distributed.ReduceOp.SUM)
    return shared


def count_processes() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
