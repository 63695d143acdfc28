"""Section ``train`` of the spec: devices, length, optimiser, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from depth_net.config.choices import (
    BestMetric,
    CompileMode,
    IntervalUnit,
    MonitorName,
    Optimizer,
    Precision,
    ResumeMode,
    Scheduler,
    Strategy,
)
from depth_net.config.fields import Search, section, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimConfig:
    """Optimiser and learning-rate schedule."""

    optimizer: Optimizer = setting(Optimizer.ADAMW, "Optimiser.")
    monitor_name: MonitorName = setting(
        MonitorName.VALIDATION_LOSS, "Watched value.", inert="no scheduler of this trainer watches a value"
    )
    lr: float = setting(
        1e-4,
        "Learning rate of the encoder; the head learns head_lr_multiplier times faster.",
        above=0.0,
        search=Search(low=1e-6, high=1e-2, curated=True),
    )
    momentum: float = setting(0.9, "Momentum.", inert="AdamW has none; its betas are 0.9 and 0.999")
    weight_decay: float = setting(
        1e-4, "Decoupled weight decay of all weights.", minimum=0.0, search=Search(low=1e-6, high=1e-1, curated=True)
    )
    head_lr_multiplier: float = setting(
        10.0,
        "Learning rate of the head over that of the encoder.",
        above=0.0,
        search=Search(low=1.0, high=30.0, curated=True),
    )
    lr_scheduler: Scheduler = setting(Scheduler.MULTI_STEP, "Learning-rate schedule; advances once per optimiser step.")
    lr_steps: tuple[int, ...] = setting((1000,), "Steps at which MultiStepLR multiplies by lr_decay.", minimum=0)
    lr_step_size: int = setting(
        1000, "Steps between two decays of StepLR.", minimum=1, search=Search(low=10, high=10000, scheduler=("StepLR",))
    )
    lr_decay: float = setting(
        0.1,
        "Factor of MultiStepLR and StepLR.",
        above=0.0,
        maximum=1.0,
        search=Search(low=0.01, high=1.0, scheduler=("MultiStepLR", "StepLR")),
    )
    min_lr: float = setting(
        1e-7,
        "Learning rate at the end of CosineAnnealingLR.",
        minimum=0.0,
        search=Search(low=1e-8, high=1e-3, scheduler=("CosineAnnealingLR",)),
    )
    warmup_fraction: float = setting(
        0.0,
        "Share of all steps over which the learning rate rises linearly; 0 is no warm-up, as in the reference.",
        minimum=0.0,
        maximum=0.9,
        search=Search(low=0.0, high=0.3, curated=True),
    )
    warmup_steps: int = setting(
        20, "Steps of warm-up.", inert="the reference never reads it, and its templates carry 20; use warmup_fraction"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CudnnConfig:
    """Behaviour of cuDNN."""

    benchmark: bool = setting(False, "Time convolution algorithms first; pays for fixed sizes.")
    deterministic: bool = setting(True, "Ask for deterministic algorithms.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything about one training run."""

    num_gpus: int = setting(1, "GPUs per node; without a GPU the run uses the processor.", minimum=1)
    gpu_ids: tuple[int, ...] = setting((0,), "Indices of the GPUs.", minimum=0)
    num_nodes: int = setting(1, "Machines; WORLD_SIZE in the environment wins.", minimum=1)
    seed: int = setting(1234, "Seed of everything random; -1 draws one.", minimum=-1)
    cudnn: CudnnConfig = section(CudnnConfig(), "Behaviour of cuDNN.")
    num_epochs: int = setting(10, "Passes over the training split.", minimum=1)
    checkpoint_interval: int = setting(1, "Epochs or steps between two checkpoints.", minimum=1)
    checkpoint_interval_unit: IntervalUnit = setting(IntervalUnit.EPOCH, "What checkpoint_interval counts.")
    validation_interval: int = setting(1, "Epochs between two validations.", minimum=1)
    resume_training_checkpoint_path: str | None = setting(None, "Checkpoint to continue from.")
    results_dir: str | None = setting(None, "Folder of this action; default <results_dir>/train.")
    pretrained_model_path: str | None = setting(None, "Checkpoint with weights of the whole model to start from.")
    clip_grad_norm: float = setting(0.1, "Largest absolute value of a gradient element; 0 does not clip.", minimum=0.0)
    accumulate_grad_batches: int = setting(1, "Batches per optimiser step.", minimum=1)
    is_dry_run: bool = setting(False, "One batch of training and validation, no checkpoint.")
    log_every_n_steps: int = setting(
        500, "Steps between two log lines within an epoch; 0 logs once per epoch.", minimum=0
    )
    precision: Precision | None = setting(
        None,
        "Arithmetic of the model; unset means bf16 on a GPU that has it and fp32 elsewhere; losses and metrics are "
        "always fp32.",
    )
    distributed_strategy: Strategy = setting(Strategy.DDP, "How several GPUs share the work.")
    activation_checkpoint: bool = setting(False, "Recompute encoder activations in the backward pass to save memory.")
    optim: OptimConfig = section(OptimConfig(), "Optimiser and schedule.")
    keep_checkpoints: int = setting(
        2, "Newest checkpoints to keep, besides the best and the last one; 0 keeps all.", minimum=0
    )
    best_metric: BestMetric = setting(BestMetric.D1, "Value of a validation that chooses dn_model_best.pth.")
    resume: ResumeMode = setting(
        ResumeMode.AUTO, "auto continues from dn_model_latest.pth in the results folder; never starts anew."
    )
    compile: CompileMode = setting(CompileMode.AUTO, "Compile the model; auto decides by the number of steps.")
    allow_tf32: bool = setting(True, "Use TF32 in fp32 matrix products on GPUs.")
    threads: int = setting(0, "Processor threads; 0 keeps OMP_NUM_THREADS or the library's choice.", minimum=0)
    panels: bool = setting(True, "Write pictures of four validation images at each validation.")
    dataloader_visualize: bool = setting(False, "Show batches.", inert="not offered; see panels")
    vis_step_interval: int = setting(10, "Steps between shown batches.", inert="not offered; see panels")
    checkpoint_interval_steps: int | None = setting(None, "Old key.", inert="the reference never reads it")
    inference_tile: bool = setting(False, "Tiled inference.", inert="read by stereo models only")
    tile_wtype: str = setting("gaussian", "Weights of tiles.", inert="read by stereo models only")
    tile_min_overlap: tuple[int, ...] = setting((16, 16), "Overlap of tiles.", inert="read by stereo models only")
