"""The training task: one model, its loss, its optimiser and its validation, wired for Lightning.

The mathematics is in `depth_net.losses`, `depth_net.metrics`, `depth_net.optim`. Losses and metrics are in 32
bits whatever the arithmetic of the model. Inside this module the model is called ``model``, so that a checkpoint
has the names of the container's (``model.pretrained.*``).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch.nn.utils import clip_grad_value_
from typing_extensions import override

from depth_net.data.dataset import REPEATED
from depth_net.data.families import resolve_depth_range
from depth_net.losses import loss_of
from depth_net.model.adapters import adapter_state
from depth_net.model.native_size import restore_native_size
from depth_net.model.published_state import publish
from depth_net.model.weights import METADATA_KEY, metadata_of
from depth_net.optim import (
    OPTIM_KEY,
    build_optimizer,
    build_scheduler,
    has_same_groups,
    resume_scheduler,
    settings_of,
)
from depth_net.pooling import count_processes, pool
from depth_net.scoring import DepthMetrics
from depth_net.training.baseline import ConstantBaseline, OutputSpread
from depth_net.training.captured_function import CapturedFunction
from depth_net.training.captured_step import CapturedStep
from depth_net.training.divergence import DivergenceMonitor
from depth_net.training.graceful_stop import is_between_steps
from depth_net.training.normalization import Normalization
from depth_net.training.random_state import random_state, restore_random_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning.pytorch.core.optimizer import LightningOptimizer
    from lightning.pytorch.utilities.types import OptimizerLRScheduler
    from torch import Tensor
    from torch.optim import Optimizer

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.data.loaders import Batch
    from depth_net.model.depth_anything import DepthAnything
    from depth_net.training.captured_step import Recorder

logger = logging.getLogger(__name__)

RANDOM_KEY = "depth_net_random_state"
"""Key of a checkpoint for the state of the random generators."""
EPOCH_KEY = "depth_net_epoch"
"""Key of a checkpoint for the losses of the epoch so far, so that a resumed epoch reports its whole mean."""
ADAPTERS_KEY = "depth_net_adapters"
"""Key of a checkpoint for matrices and factors of adapters; its weights have their sums."""


class DepthTask(LightningModule):
    """Trains and validates one model.

    Args:
        model: The model.
        config: The spec.
        total_steps: Optimiser steps of the whole run. Lightning's estimate would open the loaders before a resumed run
            has restored their position.
        fused: Whether the optimiser uses one kernel per group.
        recorder: Records the training step and what validates an image; None computes everything as usual.
    """

    def __init__(
        self,
        model: DepthAnything,
        config: ExperimentConfig,
        *,
        total_steps: int,
        fused: bool,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.kpi: dict[str, float] = {}
        self.spread = 1.0
        self.observer: PredictionObserver | None = None
        self._fused = fused
        self._recorder = recorder
        self._captured: CapturedStep | None = None
        self._predicted = CapturedFunction(self._predict, recorder)
        self._scored = CapturedFunction(self._score, recorder)
        self._total_steps = total_steps
        augmentation = config.dataset.train_dataset.augmentation
        self.normalization = Normalization(augmentation.input_mean, augmentation.input_std)
        self._loss = loss_of(model.model_type, config.train.relative_loss)
        limits = resolve_depth_range(config.dataset.min_depth, config.dataset.max_depth)
        self.metrics = DepthMetrics(model.model_type, min_depth_m=limits.min_m, max_depth_m=limits.max_m)
        self.val_loss = MeanLoss()
        self.baseline = ConstantBaseline(model.model_type, min_depth_m=limits.min_m, max_depth_m=limits.max_m)
        self.output_spread = OutputSpread()
        self._d1_constant: float | None = None
        self._monitor: DivergenceMonitor | None = None
        self._loss_sum = torch.zeros(())
        self._loss_count = 0
        self._skipped = torch.zeros(())
        self._resumed_step: int | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the training step is recorded."""
        return self._recorder is not None

    def release_recording(self) -> None:
        """Give back what was recorded; to be called after the last step."""
        if self._recorder is not None:
            self._recorder.release()
            self._captured = None

    @override
    def on_train_start(self) -> None:
        if self._resumed_step is not None:
            optim, (optimizer,) = self.config.train.optim, self.trainer.optimizers
            scheduler = resume_scheduler(optimizer, optim, self._total_steps, step=self._resumed_step)
            self.trainer.lr_scheduler_configs[0].scheduler = scheduler
        self._monitor = DivergenceMonitor(self.device, shared=self.trainer.world_size > 1)
        self._loss_sum = self._loss_sum.to(self.device)
        self._skipped = self._skipped.to(self.device)
        if self._recorder is not None:
            self._captured = self._prepare_recording(self._recorder)

    def _prepare_recording(self, recorder: Recorder) -> CapturedStep:
        (optimizer,) = self.trainer.optimizers
        exchange = None
        if self.trainer.world_size > 1:
            from depth_net.training.gradient_exchange import GradientExchange  # noqa: PLC0415 - only here

            exchange = GradientExchange([each for each in self.model.parameters() if each.requires_grad])
        return CapturedStep(
            self._train_loss,
            optimizer,
            recorder=recorder,
            accumulate=self.trainer.accumulate_grad_batches,
            clip=self.config.train.clip_grad_norm,
            exchange=exchange,
        )

    @override
    def on_train_epoch_start(self) -> None:
        self._loss_sum = torch.zeros((), device=self.device)
        self._loss_count = 0
        self._skipped = torch.zeros((), device=self.device)

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        target, valid = batch["target"], batch["valid"]
        if isinstance(target, list) or isinstance(valid, list):
            raise TypeError("a training batch has its targets stacked")
        inputs = (batch["image"], target[:, 0], valid[:, 0])
        if self._captured is None:
            loss = self._train_loss(*inputs)
        else:
            first = batch_idx % self.trainer.accumulate_grad_batches == 0
            loss = self._captured.run(inputs, first=first, last=is_between_steps(self.trainer, batch_idx))
        if self._monitor is not None:
            step = self.trainer.fit_loop.total_batch_idx
            self._monitor.watch(loss, epoch=self.current_epoch, step=step)
        self._loss_sum += loss.detach()
        self._loss_count += 1
        self._skipped += (~valid.flatten(1).any(1)).sum()
        return loss

    def _train_loss(self, image: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        predicted = self.model(self.normalization(image))
        with torch.autocast(self.device.type, enabled=False):
            return self._loss(predicted.float(), target, valid)

    @override
    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        if self._captured is None:  # else the training step has done it
            super().backward(loss, *args, **kwargs)

    @override
    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        if self._captured is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    @override
    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        if self._captured is None or optimizer_closure is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        else:
            optimizer_closure()

    def mean_train_loss(self) -> float:
        """Return the mean loss of the epoch so far over all processes; waits for the device.

        Raises:
            DivergenceError: a loss of this epoch was not finite.
        """
        if self._monitor is not None:
            self._monitor.finish(epoch=self.current_epoch)
        return float(pool(self._loss_sum)) / count_processes() / max(1, self._loss_count)

    def skipped_images(self) -> int:
        """Return how many crops of the epoch so far had no valid pixel, over all processes; waits for the device."""
        return round(float(pool(self._skipped)))

    def running_loss(self) -> float:
        """Return the mean loss of this process in the epoch so far; waits for the device."""
        return float(self._loss_sum) / max(1, self._loss_count)

    def learning_rate(self) -> float:
        """Return the present learning rate of the encoder."""
        optimizers = self.trainer.optimizers
        return float(optimizers[0].param_groups[0]["lr"]) if optimizers else 0.0

    @override
    def on_validation_epoch_start(self) -> None:
        if self._monitor is not None:
            self._monitor.finish(epoch=self.current_epoch)

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        images = self._predicted(batch["image"])
        if REPEATED in batch["row"]:
            return
        with torch.autocast(self.device.type, enabled=False):
            self.output_spread.update(images)
            for index, resized in enumerate(images):
                target, valid = batch["target"][index][0], batch["valid"][index][0]
                scores = self._scored(resized, target, valid)
                self.val_loss.update(scores[0])
                self.metrics.add(scores[1:])
                if self._d1_constant is None:
                    self.baseline.update(target, valid)
                if self.observer is not None:
                    self.observer.on_prediction(batch, index, restore_native_size(resized, batch["image_size"][index]))

    def _predict(self, image: Tensor) -> Tensor:
        # Photographs have many shapes; compiling each would take longer than the validation.
        with torch.compiler.set_stance("force_eager"):
            predicted: Tensor = self.model(image)
        return predicted.float()

    def _score(self, resized: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Return the loss of one image and, after it, the sums of its metrics."""
        predicted = restore_native_size(resized, target.shape)
        loss = self._loss(predicted[None], target[None], valid[None]).double()
        return torch.cat((loss[None], self.metrics.sums_of(predicted, target, valid)))

    @override
    def on_validation_epoch_end(self) -> None:
        if self._d1_constant is None:
            self._d1_constant = float(self.baseline.compute())
        self.kpi = {
            "val/loss": float(self.val_loss.compute()),
            **{f"val/{name}": float(value) for name, value in self.metrics.compute().items()},
            "val/d1_constant": self._d1_constant,
        }
        self.spread = float(self.output_spread.compute())
        for metric in (self.metrics, self.val_loss, self.output_spread):
            metric.reset()

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        optim = self.config.train.optim
        optimizer = build_optimizer(self.model, optim, fused=self._fused)
        scheduler = build_scheduler(optimizer, optim, self._total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @override
    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip each element of the gradients to +-``train.clip_grad_norm``, as the reference does despite the name.

        Done here because Lightning refuses to clip beside a fused optimiser under autocast, although only the scaler of
        fp16 would be in the way, and then the optimiser is not fused.
        """
        limit = self.config.train.clip_grad_norm
        if limit:
            clip_grad_value_([p for group in optimizer.param_groups for p in group["params"]], limit)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._monitor is not None:
            self._monitor.finish(epoch=self.current_epoch)
        dataset = self.config.dataset
        publish(self.model, checkpoint.get("state_dict", {}), "model.")  # FSDP leaves it to us
        checkpoint[METADATA_KEY] = {
            **metadata_of(self.model, min_depth_m=dataset.min_depth),
            "input_mean": list(dataset.val_dataset.augmentation.input_mean),
            "input_std": list(dataset.val_dataset.augmentation.input_std),
            "crop_size": list(dataset.val_dataset.augmentation.crop_size),
        }
        if adapters := adapter_state(self.model):
            checkpoint[ADAPTERS_KEY] = adapters
        checkpoint[RANDOM_KEY] = random_state()
        checkpoint[OPTIM_KEY] = self._optim_facts()
        # The first process writes for all.
        loss_sum, skipped = (pool(each).cpu() / count_processes() for each in (self._loss_sum, self._skipped))
        checkpoint[EPOCH_KEY] = {"loss_sum": loss_sum, "loss_count": self._loss_count, "skipped": skipped}

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if RANDOM_KEY in checkpoint:
            restore_random_state(checkpoint[RANDOM_KEY])
        if EPOCH_KEY in checkpoint:
            self._loss_sum = checkpoint[EPOCH_KEY]["loss_sum"]
            self._loss_count = checkpoint[EPOCH_KEY]["loss_count"]
            self._skipped = checkpoint[EPOCH_KEY].get("skipped", self._skipped)
        self._apply_spec_to(checkpoint)
        self._restore_adapters(checkpoint)

    def _restore_adapters(self, checkpoint: dict[str, Any]) -> None:
        """Give the state that Lightning loads the live names of adapted layers, from the checkpoint or as they are."""
        state, now, before = checkpoint.get("state_dict"), adapter_state(self.model), checkpoint.get(ADAPTERS_KEY, {})
        if state is None:  # FSDP has loaded it, and has no adapters
            return
        if {name: tensor.shape for name, tensor in before.items()} != {name: t.shape for name, t in now.items()}:
            state.update({f"model.{name}": tensor for name, tensor in now.items() if not name.endswith(".weight")})
            return
        for published, parts in self.model.parts.items():
            if parts[0] in before:
                state.pop(f"model.{published}", None)
        state.update({f"model.{name}": tensor for name, tensor in before.items()})

    def _apply_spec_to(self, checkpoint: dict[str, Any]) -> None:
        """Use the rates, decay and schedule of the spec where they differ from the checkpoint's, as in a search."""
        before, now = checkpoint.get(OPTIM_KEY), self._optim_facts()
        schedules = checkpoint.get("lr_schedulers")
        if before is None or before == now or not schedules:
            return
        if not has_same_groups(before, now):
            logger.warning("other weights are trained than before: the optimiser's averages of gradients start anew")
            optimizer = build_optimizer(self.model, self.config.train.optim, fused=self._fused)
            checkpoint["optimizer_states"] = [optimizer.state_dict()]
        # Another batch size changes the steps per epoch; the schedule continues at the same epoch.
        per_epoch, was_per_epoch = (facts["total_steps"] / facts["num_epochs"] for facts in (now, before))
        self._resumed_step = round(schedules[0]["last_epoch"] * per_epoch / was_per_epoch)
        checkpoint["lr_schedulers"] = []

    def _optim_facts(self) -> dict[str, Any]:
        return {**settings_of(self.config.train), "total_steps": self._total_steps}


class PredictionObserver:
    """Receives the predictions of a validation, one by one."""

    def on_prediction(self, batch: Batch, index: int, predicted: Tensor) -> None:
        """Receive one prediction.

        Args:
            batch: The batch.
            index: The image in the batch.
            predicted: Metres or disparity at native size, shape (H, W).
        """
        raise NotImplementedError


class MeanLoss:
    """Mean of the losses of single images over all processes; NaN stays NaN."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all losses."""
        self._sums = torch.zeros(2, dtype=torch.float64)

    def update(self, loss: Tensor) -> None:
        """Add the loss of one image, a scalar."""
        value = loss.detach().double()
        self._sums = self._sums.to(value.device) + torch.stack((value, torch.ones_like(value)))

    def compute(self) -> Tensor:
        """Return the mean; NaN without an image."""
        sums = pool(self._sums)
        return sums[0] / sums[1]
