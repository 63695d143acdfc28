"""A callback for Lightning: ``Trainer(callbacks=[ReportCallback()])``.

It reports the metrics of each validation and each epoch and the files of each ModelCheckpoint, and ends the training
when the study asks for it. Outside a study it does nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from automl.reporting import is_in_study, report, should_stop

if TYPE_CHECKING or "pytorch_lightning" not in sys.modules or "lightning" in sys.modules:
    from lightning.pytorch.callbacks import Callback, ModelCheckpoint
else:  # the same library under its former name
    from pytorch_lightning.callbacks import Callback, ModelCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lightning.pytorch import LightningModule, Trainer


class ReportCallback(Callback):
    """Reports to the study that runs this process, from the first rank alone."""

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._seen: set[tuple[str, int]] = set()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the checkpoints of the epoch before, which are saved after its hooks."""
        del pl_module
        self._report_checkpoints(trainer)

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """End a training of one process when asked to."""
        if trainer.world_size == 1:
            self._end_if_asked(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the metrics of a validation."""
        del pl_module
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the metrics of the epoch."""
        del pl_module
        self._report(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the checkpoints of the last epoch."""
        del pl_module
        self._report_checkpoints(trainer)

    def _report(self, trainer: Trainer) -> None:
        if not is_in_study():
            return
        self._report_checkpoints(trainer)
        self._epoch = trainer.current_epoch
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if value.numel() == 1}
        if metrics and trainer.is_global_zero:
            report(metrics, epoch=self._epoch, step=trainer.global_step)
        self._end_if_asked(trainer)

    def _end_if_asked(self, trainer: Trainer) -> None:
        if is_in_study():
            # Of several processes each reads the file at another moment: they end together, or wait for each other.
            is_asked = trainer.strategy.reduce_boolean_decision(should_stop(), all=False)
            trainer.should_stop = trainer.should_stop or is_asked

    def _report_checkpoints(self, trainer: Trainer) -> None:
        if self._epoch is None or not trainer.is_global_zero or not is_in_study():
            return
        saving = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
        kept = self._new(name for callback in saving for name in (*callback.best_k_models, callback.best_model_path))
        last = self._new(callback.last_model_path for callback in saving)
        for path in kept or last:
            report(epoch=self._epoch, checkpoint=path)

    def _new(self, names: Iterable[str]) -> list[Path]:
        """Return the files among names that were written since the last call."""
        there = [path for name in dict.fromkeys(names) if name and (path := Path(name)).exists()]
        versions = {(str(path), path.stat().st_mtime_ns): path for path in there if not path.is_symlink()}
        found = [path for version, path in versions.items() if version not in self._seen]
        self._seen |= versions.keys()
        return found
