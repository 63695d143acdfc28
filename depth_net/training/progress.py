"""Progress within an epoch: a bar on a terminal, a log line every few hundred steps elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from lightning.pytorch.callbacks import Callback
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from typing_extensions import override

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from rich.console import Console

    from depth_net.task import DepthTask

logger = logging.getLogger(__name__)

_REFRESH_S: Final = 0.5
"""Reading the loss waits for a GPU, so it is read this often and not at every step."""


class ProgressLog(Callback):
    """Logs the loss every ``every`` steps; 0 never does.

    Args:
        task: The task.
        every: Steps between two lines.
    """

    def __init__(self, task: DepthTask, every: int) -> None:
        self._task = task
        self._every = every

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._every and (batch_idx + 1) % self._every == 0:
            logger.info(
                "epoch %3d  batch %5d/%d  loss %.5f  lr %.2e",
                trainer.current_epoch + 1,
                batch_idx + 1,
                trainer.num_training_batches,
                self._task.running_loss(),
                self._task.learning_rate(),
            )


class ProgressBar(Callback):
    """Shows epoch, loss, learning rate, images per second and the time left on a terminal.

    Args:
        task: The task.
        images_per_step: Images of one batch over all processes.
        console: Where to draw.
    """

    def __init__(self, task: DepthTask, images_per_step: int, console: Console) -> None:
        self._task = task
        self._images = images_per_step
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  lr {task.fields[rate]:.1e}  {task.fields[speed]:.1f} images/s"),
            TimeRemainingColumn(),
            console=console,
            redirect_stdout=sys.stdout.isatty(),
            auto_refresh=False,
            transient=True,
        )
        self._line: TaskID | None = None
        self._drawn = (0.0, 0)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total = (trainer.max_epochs or 1) * int(trainer.num_training_batches)
        done = trainer.fit_loop.total_batch_idx + 1
        self._bar.start()
        self._line = self._bar.add_task("", total=total, completed=done, epoch="", loss=0.0, rate=0.0, speed=0.0)
        self._drawn = (time.monotonic(), done)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now, done = time.monotonic(), trainer.fit_loop.total_batch_idx + 1
        then, before = self._drawn
        if self._line is None or now - then < _REFRESH_S:
            return
        self._drawn = (now, done)
        self._bar.update(
            self._line,
            completed=done,
            epoch=f"{trainer.current_epoch + 1}/{trainer.max_epochs}",
            loss=self._task.running_loss(),
            rate=self._task.learning_rate(),
            speed=(done - before) * self._images / (now - then),
        )
        self._bar.refresh()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._bar.stop()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._bar.stop()
