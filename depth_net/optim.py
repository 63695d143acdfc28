"""The optimiser and the learning-rate schedule.

Two groups: the encoder learns at ``train.optim.lr``, the head ``head_lr_multiplier`` times faster; weight decay acts on
everything. With ``layer_decay`` below 1 each layer of the encoder is a group, the slower the earlier it is. Every
schedule advances once per optimiser step. The reference gives OneCycleLR one rate for both groups, so that the head
loses its multiplier; here it keeps it.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from depth_net.config.choices import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn
    from torch.optim import Optimizer

    from depth_net.config.train import OptimConfig, TrainConfig

BETAS = (0.9, 0.999)
OPTIM_KEY = "depth_net_optim"
"""Key of a checkpoint for the settings of its optimiser and schedule: a resumed run may have others."""
_GROUPING = {"freeze": "none", "lora_rank": 0, "layer_decay": 1.0}
"""Settings that decide the groups of an optimiser, and what they are where a checkpoint does not say."""


class TwoPartModel(Protocol):
    """The parts of a model that have learning rates of their own."""

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """Trainable weights of the encoder."""

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Trainable weights of the head."""

    def encoder_layers(self) -> list[list[nn.Parameter]]:
        """Trainable weights of the encoder, from its last layer to its first."""


def build_optimizer(model: TwoPartModel, optim: OptimConfig, *, fused: bool) -> AdamW:
    """Return AdamW over the encoder (first group, or one for each layer) and the head (last group).

    Args:
        model: The model.
        optim: Rates and decay.
        fused: One kernel per group and step; not with the gradient scaler of fp16, which must check gradients first.
    """
    parts = parameter_groups(model, optim)
    groups = [{"params": part, "lr": rate_of(name, optim), "name": name} for name, part in parts.items()]
    optimizer = AdamW(groups, lr=optim.lr, betas=BETAS, weight_decay=optim.weight_decay, fused=fused)
    optimizer.register_load_state_dict_post_hook(_lay_out_as_weights)
    return optimizer


def _lay_out_as_weights(optimizer: Optimizer) -> None:
    """Give loaded averages of gradients the memory layout of their weights.

    The fused optimiser pairs numbers by their place in memory. The weights of convolutions are channels-last on a GPU
    and contiguous elsewhere; on a processor it would take the averages of other elements without a word.
    """
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight, dtype=value.dtype, device=value.device).copy_(value)


def parameter_groups(model: TwoPartModel, optim: OptimConfig) -> dict[str, list[nn.Parameter]]:
    """Return the groups of the optimiser by name, ``encoder``, ``encoder_1``, ... and ``head``.

    The first one may be empty, where the encoder is frozen; of the others those that are empty are left out.
    """
    is_even = optim.layer_decay == 1.0
    last, *others = [list(model.encoder_parameters())] if is_even else model.encoder_layers()
    layers = {f"encoder_{number}": layer for number, layer in enumerate(others, start=1) if layer}
    return {"encoder": last, **layers, "head": list(model.head_parameters())}


def settings_of(train: TrainConfig) -> dict[str, object]:
    """Return the settings of optimiser, schedule and trained weights that a checkpoint notes under `OPTIM_KEY`."""
    plain = {name: value.value if isinstance(value, Enum) else value for name, value in train.optim}
    return {**plain, "freeze": train.freeze, "lora_rank": train.lora_rank, "num_epochs": train.num_epochs}


def has_same_groups(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Tell whether an optimiser with one `settings_of` a run continues that with another."""
    return all(before.get(name, default) == now[name] for name, default in _GROUPING.items())


def rate_of(name: str, optim: OptimConfig) -> float:
    """Return the learning rate of a group before the schedule."""
    if name == "head":
        return optim.lr * optim.head_lr_multiplier
    return optim.lr * optim.layer_decay ** int(name.partition("_")[2] or 0)


def build_scheduler(optimizer: Optimizer, optim: OptimConfig, total_steps: int) -> LRScheduler:
    """Return the schedule of the whole run.

    Args:
        optimizer: From `build_optimizer`.
        optim: Kind and numbers of the schedule.
        total_steps: Optimiser steps of the whole run, >= 1.
    """
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if optim.lr_scheduler is Scheduler.ONE_CYCLE:
        return OneCycleLR(optimizer, max_lr=rates, total_steps=total_steps)
    factors: list[Callable[[int], float]] = [
        partial(learning_rate_factor, optim=optim, total_steps=total_steps, rate=rate) for rate in rates
    ]
    return LambdaLR(optimizer, lr_lambda=factors)


def resume_scheduler(optimizer: Optimizer, optim: OptimConfig, total_steps: int, *, step: int) -> LRScheduler:
    """Set the rates and the decay of a restored optimiser to those of a spec that differs from the checkpoint's.

    The moments of the gradients stay; rates, decay and schedule are those of the spec from this step on.

    Args:
        optimizer: Of `build_optimizer`, with the state of a checkpoint.
        optim: Rates, decay and schedule.
        total_steps: Optimiser steps of the whole run, >= 1.
        step: Steps of the new schedule that are done.

    Returns:
        The schedule, at that step.
    """
    for group in optimizer.param_groups:
        group.update(lr=rate_of(group["name"], optim), weight_decay=optim.weight_decay, betas=BETAS)
        group.pop("initial_lr", None)
    scheduler = build_scheduler(optimizer, optim, total_steps)
    scheduler.last_epoch = min(step, total_steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a call outside of its own step()
        rates = scheduler.get_lr()
    for group, now in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = now
    return scheduler


def learning_rate_factor(step: int, *, optim: OptimConfig, total_steps: int, rate: float) -> float:
    """Return the learning rate of a step over the rate that the spec names.

    Args:
        step: Optimiser step from 0; may reach ``total_steps``, after the last one.
        optim: Kind and numbers of the schedule; not OneCycleLR.
        total_steps: Optimiser steps of the whole run, >= 1.
        rate: The group's own rate; CosineAnnealingLR ends at the same ``min_lr`` for every group.

    Returns:
        Factor in [0, 1].
    """
    done = min(step / total_steps, 1.0)
    warm = warm_up_factor(step, optim, total_steps)
    match optim.lr_scheduler:
        case Scheduler.MULTI_STEP:
            return warm * optim.lr_decay ** bisect_right(sorted(optim.lr_steps), step)
        case Scheduler.STEP:
            return warm * optim.lr_decay ** (step // optim.lr_step_size)
        case Scheduler.LAMBDA | Scheduler.POLYNOMIAL:
            return warm * (1.0 - done)
        case Scheduler.COSINE:
            floor = optim.min_lr / rate
            return warm * (floor + (1.0 - floor) * (1.0 + math.cos(math.pi * done)) / 2.0)
        case Scheduler.ONE_CYCLE:
            raise ValueError("OneCycleLR is not a plain factor of the learning rate")


def warm_up_factor(step: int, optim: OptimConfig, total_steps: int) -> float:
    """Return the share of the scheduled rate that a linear warm-up leaves; 1 without one and after it.

    Over ``W = round(warmup_fraction * total_steps)`` steps the factor is ``(step + 1) / (W + 1)``: never 0, so that no
    batch is wasted.
    """
    steps = round(optim.warmup_fraction * total_steps)
    return 1.0 if step >= steps else (step + 1) / (steps + 1)
