"""What a validation computes for each image, recorded once for each of the first few shapes and replayed.

A small model predicts one image in 2 ms on a fast GPU, and a processor takes 10 to start the kernels of it and of its
scores. Photographs of one camera have one shape; those of further shapes are computed as usual, by the same operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from depth_net.training.captured_step import Recorder, Replay

WARM_UP_CALLS: Final = 2
"""Calls with tensors of one shape before one is recorded: libraries choose kernels, rare shapes are not worth it."""
MOST_SHAPES: Final = 4
"""Each recording keeps the memory that one call needs."""


class CapturedFunction:
    """Computes a function of tensors that needs no gradients and does not wait for the device.

    Args:
        function: Reads its arguments and what stays where it is, such as weights, and returns a new tensor.
        recorder: How calls are recorded; None computes every call as usual.
    """

    def __init__(self, function: Callable[..., Tensor], recorder: Recorder | None) -> None:
        self._function = function
        self._recorder = recorder
        self._calls: dict[tuple[torch.Size, ...], int] = {}
        self._recorded: dict[tuple[torch.Size, ...], tuple[tuple[Tensor, ...], Tensor, Replay]] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the result for tensors on the device; the next call may overwrite it."""
        if self._recorder is None:
            return self._function(*inputs)
        shapes = tuple(each.shape for each in inputs)
        if shapes not in self._recorded:
            self._calls[shapes] = self._calls.get(shapes, 0) + 1
            if self._calls[shapes] <= WARM_UP_CALLS or len(self._recorded) == MOST_SHAPES:
                return self._function(*inputs)
            fixed = tuple(each.clone() for each in inputs)
            result, replay = self._recorder.record(lambda: self._function(*fixed))
            self._recorded[shapes] = fixed, result, replay
        fixed, result, replay = self._recorded[shapes]
        for kept, given in zip(fixed, inputs, strict=True):
            kept.copy_(given, non_blocking=True)
        replay()
        return result
