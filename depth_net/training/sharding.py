"""Fully sharded training whose checkpoints are those of any other run.

Lightning's strategy reads a checkpoint with an unpickler of its own, which runs code from the file and returns objects
that are not tensors yet, and numbers the optimiser's states after all parameters instead of the trained ones.
Here a file is read as data only, and a run may be resumed under another strategy or on one device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.strategies import FSDPStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch.distributed.fsdp import (
    FullOptimStateDictConfig,
    FullStateDictConfig,
    FullyShardedDataParallel,
    StateDictType,
)
from typing_extensions import override

from depth_net.model.keys import without_wrappers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor
    from torch.optim import Optimizer


class ShardedStrategy(FSDPStrategy):
    """FSDP with whole checkpoints in the layout of one process."""

    @override
    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Tensor]:
        """Return the whole state, numbered as one process numbers it; empty on all processes but the first."""
        optimizer = getattr(optimizer, "_optimizer", optimizer)
        with self._whole(rank0_only=True):
            by_name = FullyShardedDataParallel.optim_state_dict(self._wrapped, optimizer)
        return number_states(by_name) if self.global_rank == 0 else by_name

    @override
    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """Put weights and optimiser states from the file of any strategy into the shards, and return the rest."""
        checkpoint: dict[str, Any] = torch.load(checkpoint_path, map_location="cpu", weights_only=True, mmap=True)
        wrapped = self._wrapped
        module = self.lightning_module
        strict = module is None or module.strict_loading
        with self._whole(rank0_only=False):
            wrapped.load_state_dict(checkpoint.pop("state_dict"), strict=strict)
            if module is not None and module.trainer.state.fn == TrainerFn.FITTING:
                for optimizer, numbered in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
                    named = name_states(numbered, trained_names(wrapped, optimizer))
                    optimizer.load_state_dict(
                        FullyShardedDataParallel.optim_state_dict_to_load(wrapped, optimizer, named)
                    )
        return checkpoint

    @property
    def _wrapped(self) -> FullyShardedDataParallel:
        return cast("FullyShardedDataParallel", self.model)

    def _whole(self, *, rank0_only: bool) -> Any:  # noqa: ANN401 - a context manager that PyTorch does not type
        return FullyShardedDataParallel.state_dict_type(
            self._wrapped,
            StateDictType.FULL_STATE_DICT,
            FullStateDictConfig(offload_to_cpu=True, rank0_only=rank0_only),
            FullOptimStateDictConfig(offload_to_cpu=True, rank0_only=rank0_only),
        )


def trained_names(module: torch.nn.Module, optimizer: Optimizer) -> list[str]:
    """Return the names of an optimiser's parameters without what wrappers add, in the order of its groups."""
    names = {parameter: without_wrappers(name) for name, parameter in module.named_parameters()}
    return [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]


def number_states(named: Mapping[str, Any]) -> dict[str, Any]:
    """Number states that have names, as an optimiser does: through its groups, from 0."""
    numbers: dict[str, int] = {}
    groups = []
    for group in named["param_groups"]:
        numbers.update({name: number for number, name in enumerate(group["params"], start=len(numbers))})
        groups.append({**group, "params": [numbers[name] for name in group["params"]]})
    return {"state": {numbers[name]: state for name, state in named["state"].items()}, "param_groups": groups}


def name_states(numbered: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Give numbered states the names of their parameters; the inverse of `number_states`."""
    groups = [{**group, "params": [names[number] for number in group["params"]]} for group in numbered["param_groups"]]
    return {"state": {names[number]: state for number, state in numbered["state"].items()}, "param_groups": groups}
