"""Section ``train`` of the spec: devices, length, optimiser, checkpoints."""

from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from depth_net.config.choices import (
    IntervalUnit,
    Precision,
    RelativeLoss,
    ResumeMode,
    Scheduler,
    Strategy,
    Switch,
)
from depth_net.config.fields import Group, Many, Maybe, Real, Search, Section, Text, Whole, read_number, setting
from depth_net.metrics import BEST_METRICS

if TYPE_CHECKING:
    BestMetric: TypeAlias = str
else:
    BestMetric = Literal[BEST_METRICS]


def _word(value: object) -> object:
    """Return the word that a reader of YAML has taken for a boolean, and a writer spelled as one."""
    return {"true": "on", "false": "off"}.get(str(value).lower(), value)


_BLOCKS: Final = tuple(f"blocks:{count}" for count in range(1, 40))
_LEARNING: Final = ("none", *_BLOCKS)
if TYPE_CHECKING:
    Freeze: TypeAlias = str
    LoraRank: TypeAlias = int
else:
    Freeze = Literal[("none", "encoder", *_BLOCKS)]
    LoraRank = Literal[(0, 1, 2, 4, 8, 16, 32, 64)]


class OptimConfig(Section):
    """Optimiser and learning-rate schedule."""

    optimizer: Literal["AdamW"] = setting("AdamW", "Optimiser.")
    monitor_name: Literal["val_loss", "train_loss"] = setting(
        "val_loss", "Watched value.", inert="no scheduler of this trainer watches a value"
    )
    lr: Real = setting(
        1e-4,
        "Learning rate of the encoder; the head learns head_lr_multiplier times faster.",
        gt=0.0,
        search=Search(low=1e-6, high=1e-2, curated=True),
    )
    momentum: Real = setting(0.9, "Momentum.", inert="AdamW has none; its betas are 0.9 and 0.999")
    weight_decay: Real = setting(
        1e-4, "Decoupled weight decay of all weights.", ge=0.0, search=Search(low=1e-6, high=1e-1, curated=True)
    )
    head_lr_multiplier: Real = setting(
        10.0,
        "Learning rate of the head over that of the encoder.",
        gt=0.0,
        search=Search(low=1.0, high=30.0, curated=True),
    )
    lr_scheduler: Scheduler = setting(Scheduler.MULTI_STEP, "Learning-rate schedule; advances once per optimiser step.")
    lr_steps: Many[Annotated[Whole, Field(ge=0)]] = setting(
        (1000,), "Steps at which MultiStepLR multiplies by lr_decay."
    )
    lr_step_size: Whole = setting(
        1000, "Steps between two decays of StepLR.", ge=1, search=Search(low=10, high=10000, scheduler=("StepLR",))
    )
    lr_decay: Real = setting(
        0.1,
        "Factor of MultiStepLR and StepLR.",
        gt=0.0,
        le=1.0,
        search=Search(low=0.01, high=1.0, scheduler=("MultiStepLR", "StepLR")),
    )
    min_lr: Real = setting(
        1e-7,
        "Learning rate at the end of CosineAnnealingLR.",
        ge=0.0,
        search=Search(low=1e-8, high=1e-3, scheduler=("CosineAnnealingLR",)),
    )
    warmup_fraction: Real = setting(
        0.0,
        "Share of all steps over which the learning rate rises linearly; 0 is no warm-up, as in the reference.",
        ge=0.0,
        le=0.9,
        search=Search(low=0.0, high=0.3, curated=True),
    )
    layer_decay: Real = setting(
        1.0,
        "Learning rate of a layer of the encoder over that of the layer behind it; 1 is one rate for all.",
        gt=0.0,
        le=1.0,
        search=Search(low=0.5, high=1.0, requires=("train.freeze", _LEARNING)),
    )
    warmup_steps: Whole = setting(
        20, "Steps of warm-up.", inert="the reference never reads it, and its templates set 20; use warmup_fraction"
    )


class CudnnConfig(Section):
    """Behaviour of cuDNN."""

    benchmark: bool = setting(False, "Time convolution algorithms first; pays for fixed sizes.")
    deterministic: bool = setting(True, "Ask for deterministic algorithms.")


class TrainConfig(Section):
    """Everything about one training run."""

    num_gpus: Whole = setting(1, "GPUs per node; without a GPU the run uses the processor.", ge=1)
    gpu_ids: Many[Annotated[Whole, Field(ge=0)]] = setting((0,), "Indices of the GPUs.")
    num_nodes: Whole = setting(1, "Machines; WORLD_SIZE in the environment wins.", ge=1)
    seed: Whole = setting(1234, "Seed of everything random; -1 draws one.", ge=-1)
    cudnn: Group[CudnnConfig] = CudnnConfig()
    num_epochs: Whole = setting(10, "Passes over the training split.", ge=1)
    checkpoint_interval: Whole = setting(1, "Epochs or steps between two checkpoints.", ge=1)
    checkpoint_interval_unit: IntervalUnit = setting(IntervalUnit.EPOCH, "What checkpoint_interval counts.")
    validation_interval: Whole = setting(1, "Epochs between two validations.", ge=1)
    resume_training_checkpoint_path: Maybe[Text] = setting(None, "Checkpoint to continue from.")
    results_dir: Maybe[Text] = setting(None, "Folder of this action; default <results_dir>/train.")
    pretrained_model_path: Maybe[Text] = setting(None, "Checkpoint with weights of the whole model to start from.")
    freeze: Freeze = setting(
        "none",
        "Weights that are not trained: none, encoder, or blocks:N for the embeddings and the first N blocks of it.",
        search=Search(options=("none", "blocks:4", "blocks:8", "encoder")),
    )
    lora_rank: Annotated[LoraRank, BeforeValidator(read_number)] = setting(
        0,
        "Rank of adapters on the attention of the encoder, whose own weights are then frozen; 0 is off.",
        search=Search(options=(0, 4, 8, 16, 32)),
    )
    relative_loss: RelativeLoss = setting(
        "least_squares",
        "Loss of a relative model: least_squares as in the reference, or normalized_l1 as published.",
        search=Search(
            options=("least_squares", "normalized_l1"), requires=("model.model_type", ("RelativeDepthAnything",))
        ),
    )
    clip_grad_norm: Real = setting(0.1, "Largest absolute value of a gradient element; 0 does not clip.", ge=0.0)
    accumulate_grad_batches: Whole = setting(1, "Batches per optimiser step.", ge=1)
    is_dry_run: bool = setting(False, "One batch of training and validation, no checkpoint.")
    log_every_n_steps: Whole = setting(500, "Steps between two log lines within an epoch; 0 logs once per epoch.", ge=0)
    precision: Maybe[Precision] = setting(
        None,
        "Arithmetic of the model; unset means bf16 on a GPU that has it and fp32 elsewhere; losses and metrics are "
        "always fp32.",
    )
    distributed_strategy: Strategy = setting(Strategy.DDP, "How several GPUs share the work.")
    activation_checkpoint: bool = setting(False, "Recompute encoder activations in the backward pass to save memory.")
    optim: Group[OptimConfig] = OptimConfig()
    keep_checkpoints: Whole = setting(
        2, "Newest checkpoints to keep, besides the best and the last one; 0 keeps all.", ge=0
    )
    best_metric: BestMetric = setting("val/d1", "Value of a validation that chooses dn_model_best.pth.")
    resume: ResumeMode = setting(
        ResumeMode.AUTO, "auto continues from dn_model_latest.pth in the results folder; never starts anew."
    )
    compile: Annotated[Switch, BeforeValidator(_word)] = setting(
        Switch.AUTO, "Compile the model; auto decides by the number of steps."
    )
    cuda_graph: Annotated[Switch, BeforeValidator(_word)] = setting(
        Switch.AUTO, "Record a training step as one CUDA graph; auto decides by the number of steps."
    )
    allow_tf32: bool = setting(True, "Use TF32 in fp32 matrix products on GPUs.")
    threads: Whole = setting(0, "Processor threads; 0 keeps OMP_NUM_THREADS or the library's choice.", ge=0)
    panels: bool = setting(True, "Write pictures of four validation images at each validation.")
    dataloader_visualize: bool = setting(False, "Show batches.", inert="not offered; see panels")
    vis_step_interval: Whole = setting(10, "Steps between shown batches.", inert="not offered; see panels")
    checkpoint_interval_steps: Maybe[Whole] = setting(None, "Old key.", inert="the reference never reads it")
    inference_tile: bool = setting(False, "Tiled inference.", inert="read by stereo models only")
    tile_wtype: Text = setting("gaussian", "Weights of tiles.", inert="read by stereo models only")
    tile_min_overlap: Many[Whole] = setting((16, 16), "Overlap of tiles.", inert="read by stereo models only")
