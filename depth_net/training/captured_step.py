"""One training step recorded once and replayed: forward pass, loss, backward pass, exchange, clipping and AdamW.

Starting the 3,000 kernels of a step takes a processor 50 ms, which a small model on a fast GPU needs for four steps. A
recording (a CUDA graph) starts them all at once. It reads and writes fixed memory, so batches are copied into it and
learning rates are tensors. What does not fit is computed as usual with the same operations: the first steps, in which
libraries prepare themselves, and batches of another size.

Lightning's loop calls this in the training step of the task and stays in charge of everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import torch
from torch.nn.utils import clip_grad_value_

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from depth_net.training.gradient_exchange import GradientExchange

    Replay: TypeAlias = Callable[[], object]

WARM_UP_STEPS: Final = 3
"""Optimiser steps before the recording: kernels are chosen and compiled, and the optimiser makes its states."""


class Recorder(Protocol):
    """Records what a function computes on tensors, without anything else that it does."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Replay]:
        """Record one call of a function; nothing counts as computed yet.

        Args:
            work: What to record; reads and writes tensors that stay where they are.

        Returns:
            The tensor that the function returned, and what computes it anew.
        """

    def release(self) -> None:
        """Give back all that was recorded: nothing can be replayed any more."""


class CudaRecorder:
    """Records CUDA graphs, which share one pool of memory."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._graphs: list[torch.cuda.CUDAGraph] = []

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Replay]:
        """See `Recorder`."""
        graph = torch.cuda.CUDAGraph()
        # Only this thread is recorded: another one page-locks batches meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = work()
        self._graphs.append(graph)
        return result, graph.replay

    def release(self) -> None:
        """See `Recorder`. NCCL, which Lightning ends at the exit of a process, waits for every graph that uses it."""
        for graph in self._graphs:
            graph.reset()
        self._graphs.clear()


class CapturedStep:
    """Computes training steps.

    Args:
        loss_of: The loss of images, targets and masks, as a scalar with gradients.
        optimizer: Its learning rates are read before each step, as a schedule has set them.
        recorder: How steps are recorded.
        accumulate: Batches per optimiser step.
        clip: Largest absolute value of a gradient element; 0 does not clip.
        exchange: Averages gradients over the processes of a run; None in a run of one.
    """

    def __init__(
        self,
        loss_of: Callable[..., Tensor],
        optimizer: Optimizer,
        *,
        recorder: Recorder,
        accumulate: int,
        clip: float,
        exchange: GradientExchange | None,
    ) -> None:
        self._loss_of = loss_of
        self._optimizer = optimizer
        self._recorder = recorder
        self._accumulate = accumulate
        self._clip = clip
        self._exchange = exchange
        self._parameters: list[nn.Parameter] = [each for group in optimizer.param_groups for each in group["params"]]
        self._device = self._parameters[0].device
        self._rates = [torch.tensor(float(group["lr"]), device=self._device) for group in optimizer.param_groups]
        self._inputs: tuple[Tensor, ...] = ()
        self._recorded: dict[tuple[bool, bool], tuple[Tensor, Replay]] = {}
        self._gradients: list[Tensor | None] = []
        self._steps = 0
        self._is_recorded_step = False

    def run(self, inputs: tuple[Tensor, ...], *, first: bool, last: bool) -> Tensor:
        """Compute one batch of an optimiser step, and the step itself with its last one.

        Args:
            inputs: Arguments of ``loss_of``.
            first: Whether the step begins with this batch.
            last: Whether it ends with it.

        Returns:
            The loss of the batch, a scalar without gradients; overwritten by the next batch.
        """
        if first:
            # A step of one batch where others have several comes once per epoch and would need a recording of its own.
            self._is_recorded_step = self._steps >= WARM_UP_STEPS and (self._accumulate == 1 or not last)
        if last:
            self._steps += 1
            for rate, group in zip(self._rates, self._optimizer.param_groups, strict=True):
                rate.fill_(group["lr"])
        if self._is_recorded_step and self._fits(inputs):
            return self._replay(inputs, first=first, last=last)
        return self._compute(inputs, first=first, last=last)

    def _fits(self, inputs: tuple[Tensor, ...]) -> bool:
        """Tell whether a batch has the size of the recorded ones; the first one decides."""
        if not self._inputs:
            self._inputs = tuple(torch.empty_like(each) for each in inputs)
        return [each.shape for each in inputs] == [each.shape for each in self._inputs]

    def _replay(self, inputs: tuple[Tensor, ...], *, first: bool, last: bool) -> Tensor:
        for fixed, given in zip(self._inputs, inputs, strict=True):
            fixed.copy_(given, non_blocking=True)
        if (first, last) not in self._recorded:
            self._recorded[first, last] = self._recorder.record(
                lambda: self._compute(self._inputs, first=first, last=last)
            )
            if first:
                self._gradients = [each.grad for each in self._parameters]
        loss, replay = self._recorded[first, last]
        replay()
        if first and not last:
            # The batches that follow add to these, recorded or not.
            for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
                parameter.grad = gradient
        return loss

    def _compute(self, inputs: tuple[Tensor, ...], *, first: bool, last: bool) -> Tensor:
        if first:
            self._optimizer.zero_grad(set_to_none=True)
        if last and self._exchange is not None:
            self._exchange.begin()
        loss = self._loss_of(*inputs)
        with torch.autocast(self._device.type, enabled=False):
            torch.autograd.backward(loss / self._accumulate)
            if last:
                if self._exchange is not None:
                    self._exchange.finish()
                if self._clip:
                    clip_grad_value_(self._parameters, self._clip)
                self._step()
        return loss.detach()

    def _step(self) -> None:
        """Take the optimiser's step with learning rates that a recording can follow.

        Its groups keep plain numbers otherwise: schedules compute with them, and checkpoints are those of any run.
        """
        groups = self._optimizer.param_groups
        kept = [(group["lr"], group["capturable"]) for group in groups]
        for group, rate in zip(groups, self._rates, strict=True):
            group.update(lr=rate, capturable=self._device.type == "cuda")
        try:
            self._optimizer.step()
        finally:
            for group, (rate, capturable) in zip(groups, kept, strict=True):
                group.update(lr=rate, capturable=capturable)
