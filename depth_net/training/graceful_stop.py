"""End a run on SIGTERM at a moment from which it can be resumed exactly, on all processes together.

Lightning's own handler communicates with the other processes inside the signal handler, where collective operations
may run in another order; this one only sets a flag. A single process stops after the current optimiser step, because a
checkpoint does not contain gradients; several compare their flags every `AGREE_EVERY` steps, counted over the whole
run, and stop together.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Final

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from typing_extensions import override

if TYPE_CHECKING:
    from types import FrameType

    from lightning.pytorch import LightningModule, Trainer

AGREE_EVERY: Final = 16
_LIGHTNINGS_AGREEMENT: Final = "_broadcast_sigterm_tensor"


def is_between_steps(trainer: Trainer, batch_idx: int) -> bool:
    """Tell whether the batch that has just ended was the last one of its optimiser step.

    Args:
        trainer: Lightning's trainer.
        batch_idx: The batch in its epoch, from 0.
    """
    done = batch_idx + 1
    return done % trainer.accumulate_grad_batches == 0 or done == trainer.num_training_batches


def stop_by_agreement_alone(trainer: Trainer) -> None:
    """Switch off Lightning's own agreement about SIGTERM between the processes of a run.

    At every batch it sends a flag to all and reads it, for which the host waits until the GPU has done everything
    before; `GracefulStop` takes its place.
    """
    setattr(trainer.fit_loop.epoch_loop, _LIGHTNINGS_AGREEMENT, lambda: None)


class GracefulStop(Callback):
    """Raises ``SIGTERMException`` where a checkpoint of that moment can be resumed; Lightning then ends the run."""

    def __init__(self) -> None:
        self._asked = False

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning restores the handlers of before the run when it ends.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._set_flag)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if is_between_steps(trainer, batch_idx) and (trainer.world_size == 1 or trainer.global_step % AGREE_EVERY == 0):
            self._stop_if_asked(trainer)

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.world_size == 1:
            self._stop_if_asked(trainer)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_if_asked(trainer)

    def _set_flag(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._asked = True

    def _stop_if_asked(self, trainer: Trainer) -> None:
        asked = self._asked
        if trainer.world_size > 1:
            flag = torch.tensor(float(asked), device=trainer.strategy.root_device)
            asked = bool(trainer.strategy.reduce(flag, reduce_op="sum"))
        if asked:
            raise SIGTERMException
