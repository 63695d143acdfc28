"""Checkpoints of a training run: their names, the links to the newest and the best, and which of them are kept.

Names and container are those of the reference (``model_epoch_000_step_00003.pth``, ``dn_model_latest.pth``): its tools
read ours. New here: ``dn_model_best.pth``, older files removed, and files and links that are never half-written.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException
from typing_extensions import override

from depth_net.config.choices import IntervalUnit, ResumeMode
from depth_net.errors import DivergenceError, SpecError, WeightsError
from depth_net.metrics import is_higher_better
from depth_net.model.checkpoint_file import read_pickled
from depth_net.model.weights import fit_weights, load_weights
from depth_net.optim import OPTIM_KEY, has_same_groups, parameter_groups, settings_of
from depth_net.training.graceful_stop import is_between_steps
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lightning.pytorch import LightningModule, Trainer

    from depth_net.config.train import TrainConfig
    from depth_net.model.depth_anything import DepthAnything

logger = logging.getLogger(__name__)

LATEST: Final = "dn_model_latest.pth"
BEST: Final = "dn_model_best.pth"
SUFFIXES: Final = (".pth", ".tlt")
_RUN_KEYS: Final = ("pytorch-lightning_version", "state_dict", "loops", "optimizer_states", "lr_schedulers")
_ANEW: Final = "to start again, remove train.resume_training_checkpoint_path and set train.resume=never"


def checkpoint_name(epoch: int, step: int) -> str:
    """Return the file name of a checkpoint.

    Args:
        epoch: Epoch from 0.
        step: Optimiser steps done.
    """
    return f"model_epoch_{epoch:03d}_step_{step:05d}.pth"


def find_resume_checkpoint(directory: Path, train: TrainConfig) -> Path | None:
    """Return the checkpoint from which a run in ``directory`` is resumed, if there is one.

    Raises:
        SpecError: ``train.resume_training_checkpoint_path`` names no checkpoint.
    """
    named = train.resume_training_checkpoint_path
    if named:
        path = Path(named).expanduser()
        if path.suffix not in SUFFIXES or not path.is_file():
            raise SpecError(
                f"train.resume_training_checkpoint_path: found {path}, expected an existing file that ends in "
                f"{' or '.join(SUFFIXES)}; {_ANEW}; from the weights of any checkpoint, use train.pretrained_model_path"
            )
        return path
    if train.resume is ResumeMode.NEVER:
        return None
    latest = directory / LATEST
    return latest.resolve() if latest.exists() else None


def require_resumable(path: Path, model: DepthAnything, train: TrainConfig) -> None:
    """Refuse a checkpoint from which a run with this model cannot be resumed, before Lightning fails on it.

    Args:
        path: From `find_resume_checkpoint`.
        model: The model of the run; Lightning gives it the weights.
        train: Which of them are trained.

    Raises:
        WeightsError: the file is damaged, holds no training run, another model, or the optimiser of another trainer.
    """
    try:
        fit_weights(model, load_weights(path))
        content = read_pickled(path)
    except WeightsError as error:
        raise WeightsError(f"the checkpoint to resume from: {error}\n  {_ANEW}") from error
    absent = [key for key in _RUN_KEYS if key not in content]
    if absent:
        raise WeightsError(
            f"{path}: found weights without a training run ({', '.join(absent)}); expected a checkpoint that "
            f"`depth_net train` has written; fix: start from its weights by train.pretrained_model_path; {_ANEW}"
        )
    if not has_same_groups(content.get(OPTIM_KEY) or {}, settings_of(train)):
        return  # the optimiser starts anew
    sizes = [len(part) for part in parameter_groups(model, train.optim).values()]
    found = [len(group["params"]) for state in content["optimizer_states"] for group in state["param_groups"]]
    if found != sizes:
        raise WeightsError(
            f"{path}: found an optimiser over groups of {found} parameters; expected {sizes}, as `depth_net train` "
            "writes them (the container joins and counts them in another way); fix: start from its weights by "
            f"train.pretrained_model_path; {_ANEW}"
        )


class CheckpointWriter(Checkpoint):
    """Saves a run at its intervals, when it improves, when it is asked to stop and when it fails.

    Args:
        directory: Where to write.
        train: Intervals, how many files to keep, and the value that decides which is best.
        kpi: Gives the values of the last validation, e.g. ``val/d1``.
    """

    def __init__(self, directory: Path, train: TrainConfig, kpi: Callable[[], Mapping[str, float]]) -> None:
        self._directory = directory
        self._train = train
        self._kpi = kpi
        self._interval = train.checkpoint_interval
        if train.checkpoint_interval_unit is IntervalUnit.EPOCH:
            self._interval = min(train.checkpoint_interval, train.num_epochs)
        self._saved_step = -1
        self._running = False
        self._best_score = -math.inf
        self._best_name: str | None = None
        self._written: list[str] = []

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a resumed run needs."""
        own = {"folder": str(self._directory.resolve()), "written": list(self._written)}
        return {"best_score": self._best_score, "best_name": self._best_name, **own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of an earlier run: its best file if that still exists, and what it wrote in this folder."""
        if state_dict.get("folder") == str(self._directory.resolve()):
            self._written = list(state_dict["written"])
        name = state_dict["best_name"]
        if name and (self._directory / name).exists():
            self._best_score, self._best_name = float(state_dict["best_score"]), name

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Allow checkpoints: before this, the state of a resumed run is incomplete and must not be saved."""
        self._running = True

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save at the step interval."""
        by_step = self._train.checkpoint_interval_unit is IntervalUnit.STEP
        due = by_step and is_between_steps(trainer, batch_idx) and trainer.global_step % self._interval == 0
        if due and trainer.global_step != self._saved_step:
            self._save(trainer, trainer.current_epoch)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save at the epoch interval, at the end, and when the validation of this epoch is the best one so far."""
        epoch = trainer.current_epoch
        improved = self._improves(trainer)
        last = epoch + 1 == self._train.num_epochs
        due = self._train.checkpoint_interval_unit is IntervalUnit.EPOCH and (epoch + 1) % self._interval == 0
        if improved:
            self._best_name = checkpoint_name(epoch, trainer.global_step)
        if due or last or improved:
            self._save(trainer, epoch)
        if improved and trainer.is_global_zero:
            link(self._directory / BEST, checkpoint_name(epoch, trainer.global_step))

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save the current state, unless the weights diverged or the step is saved already.

        Saving needs all processes: of several, only those save that were asked to stop and do so at the same batch.
        """
        alone = trainer.world_size == 1 or isinstance(exception, SIGTERMException)
        started = self._running and trainer.global_step > 0 and (trainer.training or trainer.validating)
        healthy = not isinstance(exception, DivergenceError)
        if alone and started and healthy and trainer.global_step != self._saved_step:
            try:
                self._save(trainer, trainer.current_epoch)
            except DivergenceError as error:  # in the steps since losses were last read
                logger.warning("the last steps are not saved: %s", error)

    def _improves(self, trainer: Trainer) -> bool:
        """Record the score of an epoch with a validation; return whether it is the best one."""
        if (trainer.current_epoch + 1) % min(self._train.validation_interval, self._train.num_epochs):
            return False
        metric = self._train.best_metric
        value = self._kpi().get(metric, math.nan)
        score = value if is_higher_better(metric) else -value
        if not math.isfinite(score) or score <= self._best_score:
            return False
        self._best_score = score
        return True

    def _save(self, trainer: Trainer, epoch: int) -> None:
        name = checkpoint_name(epoch, trainer.global_step)
        unfinished = self._directory / f".{name}.part"
        if name not in self._written:
            self._written.append(name)
        try:
            if trainer.is_global_zero:
                unfinished.unlink(missing_ok=True)  # its own; a link of that name is not followed
            trainer.save_checkpoint(unfinished)
            if trainer.is_global_zero:
                unfinished.replace(self._directory / name)
        finally:
            if trainer.is_global_zero:
                unfinished.unlink(missing_ok=True)  # its own
        self._saved_step = trainer.global_step
        if trainer.is_global_zero:
            link(self._directory / LATEST, name)
            self._prune(name)
        trainer.strategy.barrier("checkpoint")

    def _prune(self, newest: str) -> None:
        """Delete older checkpoints of this run, and no file or link that it did not write."""
        if not self._train.keep_checkpoints:
            return
        paths = [self._directory / name for name in self._written]
        own = [path for path in paths if path.is_file() and not path.is_symlink()]
        for path in own[: -self._train.keep_checkpoints]:
            if path.name not in (newest, self._best_name):
                path.unlink(missing_ok=True)  # its own
        self._written = [path.name for path in own if path.exists()]


class DirectCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint straight into its file.

    Lightning builds the whole file in memory first, several gigabytes for large encoders; `CheckpointWriter` renames
    finished files, so nothing is gained by that.
    """

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        torch.save(checkpoint, path)


def link(place: Path, name: str) -> None:
    """Make ``place`` a relative link to the file ``name`` beside it, replacing an older link at once."""
    with whole(place) as fresh:
        fresh.symlink_to(name)
