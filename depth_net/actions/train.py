"""Train one model: read the data, build the model, run Lightning; writes checkpoints, pictures and status lines."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning.pytorch import Trainer
from rich.console import Console

from depth_net.checkpoint import LATEST, CheckpointWriter, DirectCheckpointIO, find_resume_checkpoint, require_resumable
from depth_net.config.choices import Precision, ResumeMode
from depth_net.data.loaders import one_thread, use_threads
from depth_net.errors import SpecError
from depth_net.gpu_driver import open_context
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.published_names import doubts_of_start
from depth_net.model.resize import Resize
from depth_net.model.tuning import prepare_tuning
from depth_net.model.weights import apply_weights, load_weights
from depth_net.status import warn
from depth_net.task import DepthTask
from depth_net.training.captured_step import CudaRecorder
from depth_net.training.compile_cache import share_compiled_kernels
from depth_net.training.datasets import DepthData
from depth_net.training.devices import (
    DevicePlan,
    build_environment,
    build_strategy,
    decide_compile,
    decide_recording,
    export_node_count,
    plan_devices,
    resolve_precision,
)
from depth_net.training.graceful_stop import GracefulStop, stop_by_agreement_alone
from depth_net.training.progress import ProgressBar, ProgressLog
from depth_net.training.random_state import seed_everything
from depth_net.training.reporting import FinalCheck, PanelWriter, StatusReporter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lightning.pytorch.callbacks import Callback

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.config.train import TrainConfig
    from depth_net.status import StatusWriter
    from depth_net.training.captured_step import Recorder

logger = logging.getLogger(__name__)

_THREADS_BESIDE_A_GPU = 4


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Train one model and report to ``status``.

    Raises:
        SpecError: the spec needs more than this machine or the data provide.
        DataError: the data cannot be used.
        WeightsError: starting weights are missing or do not fit.
        DivergenceError: the loss is not finite.
    """
    if torch.version.cuda is not None:
        open_context()
    directory = config.results_directory("train")
    plan = plan_devices(config.train)
    resume = find_resume_checkpoint(directory, config.train)
    report_notices(plan.notices, status)
    prepare_process(config.train, plan)
    data = _start_loading(config, plan, seed=seed_everything(config.train.seed))
    steps = count_steps(config, len(data.train_set), plan) * config.train.num_epochs
    require_validation(len(data.val_set), plan)
    with plan.model_device:
        model = build_model(config, on_gpu=plan.on_gpu, is_sharded=plan.shards(config.train))
    _give_weights(model, resume, config, status)
    if plan.on_gpu:
        plan = resolve_precision(plan)
        report_notices(plan.notices, status)
    task = _build_task(model, config, plan, steps=steps)
    status.started("Starting Training Loop.")
    _fit(_Run(config=config, status=status, directory=directory, plan=plan, data=data, task=task), resume)
    if resume is not None and not task.kpi:
        _warn_nothing_left(resume, config, status)
    status.running("Training loop complete.")


def _build_task(model: DepthAnything, config: ExperimentConfig, plan: DevicePlan, *, steps: int) -> DepthTask:
    recorder = choose_recorder(config.train, plan, steps=steps)
    fused = plan.precision is not Precision.FP16
    task = DepthTask(model, config, total_steps=steps, fused=fused, recorder=recorder)
    parameters = sum(each.numel() for each in model.parameters())
    compiled, reason = decide_compile(
        config.train, plan, steps=steps, parameters=parameters, is_recorded=recorder is not None
    )
    logger.info(reason)
    if compiled:
        share_compiled_kernels()
        task.model.compile_parts()
    return task


def choose_recorder(train: TrainConfig, plan: DevicePlan, *, steps: int) -> Recorder | None:
    """Return what records the training step, or None where each step is computed as usual; log why."""
    is_recorded, reason = decide_recording(train, plan, steps=steps)
    logger.info(reason)
    return CudaRecorder() if is_recorded else None


def _start_loading(config: ExperimentConfig, plan: DevicePlan, *, seed: int) -> DepthData:
    threads = count_threads(config.train, plan, torch.get_num_threads())
    with one_thread():
        data = DepthData(config, seed=seed, on_gpu=plan.on_gpu)
        data.start_loading(plan.share, plan.own_device)
    use_threads(threads)
    return data


def report_notices(notices: Iterable[str], status: StatusWriter) -> None:
    """Write notices to log and status file."""
    for notice in notices:
        warn(status, notice, code="notice")


def _give_weights(model: DepthAnything, resume: Path | None, config: ExperimentConfig, status: StatusWriter) -> None:
    """Fill a new model, or check the checkpoint that Lightning will fill it from, and freeze what is not trained."""
    train = config.train
    if resume is None:
        _warn_checkpoints_unused(config, status)
        start_from_weights(model, config, status)
    prepare_tuning(model, freeze=train.freeze, lora_rank=train.lora_rank)
    if resume is not None:
        _resume_from(resume, model, config, status)
    if train.freeze != "none" or train.lora_rank:
        trained, total = (
            sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad or not is_trained)
            for is_trained in (True, False)
        )
        logger.info("%.3g of %.3g million weights are trained", trained / 1e6, total / 1e6)


def _resume_from(resume: Path, model: DepthAnything, config: ExperimentConfig, status: StatusWriter) -> None:
    require_resumable(resume, model, config.train)
    status.running(f"Resuming training from checkpoint: {resume}")
    logger.info("resuming from %s", resume)


def _warn_checkpoints_unused(config: ExperimentConfig, status: StatusWriter) -> None:
    """Warn where a run begins anew beside checkpoints, because the link to the newest one is gone."""
    train, directory = config.train, config.results_directory("train")
    found = sorted(directory.glob("model_epoch_*"))
    if found and train.resume is ResumeMode.AUTO:
        newest = found[-1]
        text = (
            f"training begins anew: {directory} has {len(found)} checkpoints, up to {newest.name}, and no {LATEST}; "
            f"to continue, set train.resume_training_checkpoint_path={newest}"
        )
        warn(status, text, code="checkpoints_unused")


def _warn_nothing_left(resume: Path, config: ExperimentConfig, status: StatusWriter) -> None:
    text = f"nothing was left to train: {resume.name} has all {config.train.num_epochs} epochs; raise num_epochs"
    warn(status, text, code="nothing_to_train")


def build_model(config: ExperimentConfig, *, on_gpu: bool = False, is_sharded: bool = False) -> DepthAnything:
    """Build the model with new weights.

    Args:
        config: The spec.
        on_gpu: Use the memory layout and the upsampling that are fastest on GPUs.
        is_sharded: FSDP will spread its weights.

    Raises:
        SpecError: the encoder or the depth range cannot be used.
    """
    metric = config.model.model_type is ModelType.METRIC
    model = DepthAnything(
        encoder=config.model.encoder.value,
        model_type=config.model.model_type,
        max_depth_m=config.dataset.max_depth if metric else None,
        convolution_init=config.model.convolution_init,
        activation_checkpointing=config.train.activation_checkpoint,
        resize=Resize.PRODUCT if on_gpu else Resize.KERNEL,
    )
    # FSDP puts the states of an optimiser back as if every weight were contiguous.
    if on_gpu and not is_sharded:
        model.use_channels_last()
    return model


def start_from_weights(model: DepthAnything, config: ExperimentConfig, status: StatusWriter) -> None:
    """Fill a model from ``mono_backbone.pretrained_path``, then from ``pretrained_model_path``; warn if none is set.

    Raises:
        WeightsError: weights are missing or do not fit.
    """
    backbone, whole = config.model.mono_backbone.pretrained_path, config.train.pretrained_model_path
    if not (backbone or whole):
        text = "the model starts from random weights: no pretrained path is set"
        warn(status, text, code="notice", data={"init": "random"})
    for doubt in doubts_of_start(config):
        warn(status, doubt, code="weights")
    for path, is_backbone in ((backbone, True), (whole, False)):
        if path:
            weights = load_weights(Path(path).expanduser(), config.model.weights_key)
            apply_weights(model, weights.without_head() if is_backbone else weights, is_starting_point=True)
            logger.info("starting from the %sweights in %s", "encoder's " if is_backbone else "", path)
            if not is_backbone and not weights.has_head:
                warn(status, f"{path} holds an encoder alone: the head starts from random weights", code="notice")


def count_steps(config: ExperimentConfig, images: int, plan: DevicePlan) -> int:
    """Return the optimiser steps of one epoch.

    Raises:
        SpecError: the training split is smaller than one batch over all devices.
    """
    batch = config.dataset.train_dataset.batch_size
    batches = images // plan.world_size // batch
    if not batches:
        raise SpecError(
            f"dataset.train_dataset.batch_size: found {batch} on {plan.world_size} devices for {images} images, "
            f"expected at most {max(1, images // plan.world_size)}; lower the batch size or add images"
        )
    return -(-batches // config.train.accumulate_grad_batches)


def require_validation(images: int, plan: DevicePlan) -> None:
    """Refuse a validation split that leaves a process without an image.

    Raises:
        SpecError: there are fewer images than processes.
    """
    if images < plan.world_size:
        raise SpecError(
            f"dataset.val_dataset: found {images} images for {plan.world_size} processes, expected at least one for "
            "each; add images or use fewer devices"
        )


def prepare_process(train: TrainConfig, plan: DevicePlan) -> None:
    """Set PyTorch's process-wide options: TF32, deterministic algorithms."""
    if plan.on_gpu:
        torch.set_float32_matmul_precision("high" if train.allow_tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = train.allow_tf32
        torch.backends.cudnn.benchmark = train.cudnn.benchmark
        torch.backends.cudnn.deterministic = train.cudnn.deterministic
    export_node_count(plan)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


def count_threads(train: TrainConfig, plan: DevicePlan, offered: int) -> int:
    """Return the processor threads of this process.

    Args:
        train: Its ``threads`` decides, unless it is 0.
        plan: Processes of one machine share the threads; with a GPU, they are only needed to stack batches.
        offered: Number of threads that PyTorch would use.
    """
    if train.threads:
        return train.threads
    share = max(1, offered // max(1, len(plan.devices)))
    return min(share, _THREADS_BESIDE_A_GPU) if plan.on_gpu else share


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    config: ExperimentConfig
    status: StatusWriter
    directory: Path
    plan: DevicePlan
    data: DepthData
    task: DepthTask

    @property
    def images_per_step(self) -> int:
        return self.config.dataset.train_dataset.batch_size * self.plan.world_size


def _fit(run: _Run, resume: Path | None) -> None:
    with warnings.catch_warnings():
        # Advice on loader workers and experimental features; our own messages report what matters.
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", module=r"torch\..*")
        trainer = build_trainer(run)
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(run.task, datamodule=run.data, ckpt_path=resume, weights_only=True if resume else None)
        except SystemExit as end:
            # Lightning raises SystemExit on Ctrl-C and ignores further ones; the exit status is decided by our caller.
            if not isinstance(end.__context__, KeyboardInterrupt):
                raise
            signal.signal(signal.SIGINT, on_interrupt)
            raise end.__context__ from end
        finally:
            run.task.release_recording()
            run.data.stop_loading()


def build_trainer(run: _Run) -> Trainer:
    """Return Lightning's trainer for a run."""
    train = run.config.train
    devices = list(run.plan.devices) if run.plan.on_gpu else max(1, len(run.plan.devices))
    trainer = Trainer(
        accelerator="gpu" if run.plan.on_gpu else "cpu",
        strategy=build_strategy(run.plan, train, run.task.model, is_recorded=run.task.is_recorded),
        num_nodes=run.plan.nodes,
        precision=run.plan.lightning_precision,
        max_epochs=train.num_epochs,
        accumulate_grad_batches=train.accumulate_grad_batches,
        check_val_every_n_epoch=min(train.validation_interval, train.num_epochs),
        num_sanity_val_steps=0,
        callbacks=_callbacks(run),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        fast_dev_run=train.is_dry_run,
        plugins=[DirectCheckpointIO(), build_environment()],
        default_root_dir=run.directory,
        devices=devices,
    )
    stop_by_agreement_alone(trainer)
    return trainer


def _callbacks(run: _Run) -> list[Callback]:
    train = run.config.train
    images = len(run.data.train_set) // run.images_per_step * run.images_per_step
    callbacks: list[Callback] = [StatusReporter(run.status, run.task, images)]
    if train.panels:
        folder, images = run.directory / "panels", len(run.data.val_set)
        callbacks.append(PanelWriter(folder, run.task, images=images, processes=run.plan.world_size))
    if sys.stderr.isatty():
        callbacks.append(ProgressBar(run.task, run.images_per_step, Console(stderr=True)))
    else:
        callbacks.append(ProgressLog(run.task, train.log_every_n_steps))
    if not train.is_dry_run:
        callbacks.append(CheckpointWriter(run.directory, train, lambda: run.task.kpi))
    return [*callbacks, FinalCheck(run.task), GracefulStop()]
