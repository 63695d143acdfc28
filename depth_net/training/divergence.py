"""Detect a training loss that is not finite, without making the host wait for a GPU at every step.

On a processor every step is checked. On a GPU the first bad step is remembered on the device and copied to the host in
the background every `CHECK_EVERY` steps, so a bad loss is reported at most two intervals later, with its own step.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from depth_net.errors import DivergenceError

CHECK_EVERY: Final = 16
_NONE: Final = -1


class DivergenceMonitor:
    """Watches one training run.

    Args:
        device: Where losses are computed.
        shared: Whether several processes train together; the first bad step of any of them then stops all.
    """

    def __init__(self, device: torch.device, *, shared: bool) -> None:
        self._immediate = device.type == "cpu" and not shared
        self._shared = shared
        self._first_bad = torch.full((), _NONE, dtype=torch.int64, device=device)
        self._host = torch.full((), _NONE, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._event: torch.Event | None = torch.Event(device) if device.type == "cuda" else None
        self._pending = False

    def watch(self, loss: Tensor, *, epoch: int, step: int) -> None:
        """Check the loss of one step.

        Args:
            loss: Scalar.
            epoch: Epoch from 0.
            step: Batch of the whole run, from 0.

        Raises:
            DivergenceError: this loss, or on a GPU a recent one, is not finite.
        """
        if self._immediate:
            value = loss.item()
            if not math.isfinite(value):
                raise divergence(epoch=epoch, step=step, value=str(value))
            return
        bad = ~torch.isfinite(loss.detach()) & (self._first_bad == _NONE)
        self._first_bad = torch.where(bad, step, self._first_bad)
        if step % CHECK_EVERY == CHECK_EVERY - 1:
            self.check(epoch=epoch)
            self._start_copy()

    def finish(self, *, epoch: int) -> None:
        """Wait for pending copies and check every step so far.

        Raises:
            DivergenceError: one of the losses was not finite.
        """
        if self._immediate:
            return
        self._start_copy()
        self.check(epoch=epoch)

    def check(self, *, epoch: int) -> None:
        """Check the last copy, if there is one."""
        if not self._pending:
            return
        if self._event is not None:
            self._event.synchronize()
        self._pending = False
        step = int(self._host)
        if step != _NONE:
            raise divergence(epoch=epoch, step=step, value="not finite")

    def _start_copy(self) -> None:
        first = self._first_bad
        if self._shared:
            # Unsigned order: "none" is the largest, so that the smallest bad step of all ranks wins.
            first = torch.where(first == _NONE, torch.iinfo(torch.int64).max, first)
            torch.distributed.all_reduce(first, op=torch.distributed.ReduceOp.MIN)
            first = torch.where(first == torch.iinfo(torch.int64).max, _NONE, first)
        self._host.copy_(first, non_blocking=True)
        if self._event is not None:
            self._event.record()
        self._pending = True


def divergence(*, epoch: int, step: int, value: str) -> DivergenceError:
    """Return the error of a training loss that is not finite."""
    return DivergenceError(
        f"the training loss is {value} in epoch {epoch}, step {step}; the run is stopped, because no later step can "
        "recover; lower train.optim.lr or train.optim.head_lr_multiplier, or set train.optim.warmup_fraction to 0.1",
        epoch=epoch,
        step=step,
    )
