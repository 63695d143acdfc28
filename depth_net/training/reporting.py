"""Reports of a training run: lines of the status file, one log line per epoch, a panel per validation."""

from __future__ import annotations

import logging
import math
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from lightning.pytorch.callbacks import Callback
from typing_extensions import override

from depth_net.errors import DivergenceError
from depth_net.panels import PanelRow, choose_rows, write_panel
from depth_net.status import warn
from depth_net.task import PredictionObserver
from depth_net.training.baseline import is_constant, is_near_constant

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer
    from torch import Tensor

    from depth_net.data.loaders import Batch
    from depth_net.status import StatusWriter
    from depth_net.task import DepthTask

logger = logging.getLogger(__name__)


class StatusReporter(Callback):
    """Writes the lines of a training run in the order of the reference, and one log line per epoch.

    Args:
        status: The status file.
        task: The task.
        images_per_epoch: Training images per epoch over all processes.
    """

    def __init__(self, status: StatusWriter, task: DepthTask, images_per_epoch: int) -> None:
        self._status = status
        self._task = task
        self._images = images_per_epoch
        self._started = time.monotonic()
        self._validated = False

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()
        self._validated = False

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = True
        kpi = self._task.kpi
        data = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        self._status.running("Eval metrics generated.", kpi=kpi, data=data)
        if is_constant(self._task.spread):
            text = (
                f"the model predicts a constant for every image (val/d1 {kpi['val/d1']:.3f}, a constant scores "
                f"{kpi['val/d1_constant']:.3f}); lower train.optim.lr or set train.optim.warmup_fraction"
            )
            warn(self._status, text, code="collapsed")

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        kpi = self._task.kpi
        if kpi and is_near_constant(kpi["val/d1"], kpi["val/d1_constant"]) and not is_constant(self._task.spread):
            text = (
                f"the last val/d1 {kpi['val/d1']:.3f} is close to that of a constant prediction, "
                f"{kpi['val/d1_constant']:.3f}: little was learned; train longer, start from weights, or check the data"
            )
            warn(self._status, text, code="near_constant")

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = self._task.mean_train_loss()
        seconds = time.monotonic() - self._started
        epochs = trainer.max_epochs or 1
        left = timedelta(seconds=(epochs - 1 - trainer.current_epoch) * seconds)
        batches = max(1, int(trainer.num_training_batches))
        data = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "max_epoch": epochs - 1,
            "max_step": epochs * batches,
            "time_per_epoch": str(timedelta(seconds=seconds)),
            "time_per_step": str(timedelta(seconds=seconds / batches)),
            "eta": str(left),
        }
        self._status.running("Training loop in progress", data=data)
        here: dict[str, object] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        if skipped := self._task.skipped_images():
            here["skipped_images"] = skipped
            logger.warning("epoch %d: %d crops without a valid pixel were skipped", trainer.current_epoch + 1, skipped)
        self._status.running("Train metrics generated.", kpi={"train_loss": loss}, data=here)
        logger.info("%s", self._epoch_line(trainer, loss, seconds, left))

    def _epoch_line(self, trainer: Trainer, loss: float, seconds: float, left: timedelta) -> str:
        rate = self._task.learning_rate()
        score = f"  val/d1 {self._task.kpi['val/d1']:.4f}" if self._validated else ""
        return (
            f"epoch {trainer.current_epoch + 1:3d}/{trainer.max_epochs}  train_loss {loss:.5f}{score}  lr {rate:.2e}  "
            f"{self._images / seconds:.1f} images/s  {seconds:.1f} s  left {str(left).split('.', maxsplit=1)[0]}"
        )


class FinalCheck(Callback):
    """Fails a run whose last validation is NaN."""

    def __init__(self, task: DepthTask) -> None:
        self._task = task

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        d1 = self._task.kpi.get("val/d1", 0.0)
        if not math.isfinite(d1):
            raise DivergenceError(
                f"val/d1 is {d1} in epoch {trainer.current_epoch}, step {trainer.global_step}: the weights or the "
                "predictions are not finite; lower train.optim.lr",
                epoch=trainer.current_epoch,
                step=trainer.global_step,
            )


class PanelWriter(Callback, PredictionObserver):
    """Keeps the predictions of a few fixed validation images and writes them as one picture per validation.

    Args:
        directory: Folder of the pictures.
        task: The task; this object becomes its observer.
        images: Number of validation images of all processes.
        processes: Of the run; the first one, which writes, has every so many images.
    """

    def __init__(self, directory: Path, task: DepthTask, *, images: int, processes: int) -> None:
        self._directory = directory
        self._task = task
        self._chosen = {processes * number for number in choose_rows(-(-images // processes))}
        self._rows: dict[int, PanelRow] = {}
        task.observer = self

    @override
    def on_prediction(self, batch: Batch, index: int, predicted: Tensor) -> None:
        number = batch["row"][index]
        if number not in self._chosen:
            return
        augmentation = self._task.config.dataset.val_dataset.augmentation
        mean, std = (
            torch.tensor(values)[:, None, None] for values in (augmentation.input_mean, augmentation.input_std)
        )
        self._rows[number] = PanelRow(
            image=batch["image"][index].cpu() * std + mean,
            target=batch["target"][index][0].cpu(),
            valid=batch["valid"][index][0].cpu(),
            predicted=predicted.cpu(),
        )

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rows = [self._rows[number] for number in sorted(self._rows)]
        self._rows.clear()
        if rows and trainer.is_global_zero:
            name = f"epoch_{trainer.current_epoch:03d}_step_{trainer.global_step:05d}.png"
            write_panel(self._directory / name, rows, self._task.model.model_type)
