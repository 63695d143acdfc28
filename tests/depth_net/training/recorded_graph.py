"""A stand-in for CUDA graphs on a processor: operations are recorded with their tensors and replayed in order.

As with a CUDA graph, what Python did between the operations is gone at the replay: a learning rate that was a number, a
gradient that lies elsewhere, or a batch that was not copied would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch._C._distributed_c10d import Work
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch._ops import OpOverload

    from depth_net.training.captured_step import Replay


class ProcessorRecorder:
    """Records calls on a processor; counts them and their replays."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0
        self.is_released = False

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Replay]:
        """Record one call; what it changed of the tensors that were there before is undone."""
        recording = _Recording()
        with recording:
            result = work()
        recording.undo()
        self.recorded += 1

        def replay() -> None:
            assert not self.is_released
            self.replayed += 1
            recording.replay()

        return result, replay

    def release(self) -> None:
        """Note that nothing is replayed any more."""
        self.is_released = True


class _Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch annotates in part
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._calls: list[tuple[OpOverload[..., object], tuple[Any, ...], dict[str, Any], object]] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        self._made: set[int] = set()

    def __torch_dispatch__(
        self,
        func: OpOverload[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        del types
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            self._keep(tensor)
        result = func(*args, **kwargs)
        self._made |= {each.untyped_storage().data_ptr() for each in _tensors(result)}
        self._calls.append((func, args, kwargs, result))
        return result

    def _keep(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage().data_ptr()
        if storage not in self._made and storage not in self._before:
            self._before[storage] = (tensor.detach(), tensor.detach().clone())

    def undo(self) -> None:
        for tensor, before in self._before.values():
            tensor.copy_(before)

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, recorded in self._calls:
                again = func(*args, **kwargs)
                if func.namespace == "c10d":  # a recorded stream waits for the others
                    for work in tree_leaves(again):
                        if isinstance(work, torch.ScriptObject):
                            Work.unbox(work).wait()
                for old, new in zip(_tensors(recorded), _tensors(again), strict=True):
                    if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                        old.detach().copy_(new)


def _tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
