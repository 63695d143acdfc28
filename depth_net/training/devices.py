"""Devices, number of processes and arithmetic of a spec on this machine.

Without a GPU, a run uses the CPU in 32 bits and reports it. ``WORLD_SIZE`` is the
number of nodes, as in the reference; the spec file is never rewritten.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from depth_net.config.choices import Precision, Strategy, Switch
from depth_net.data.sample_order import Share
from depth_net.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from depth_net.config.train import TrainConfig

_NODES: Final = "DEPTH_NET_NODES"
"""Passes the number of nodes to the processes that Lightning starts, where WORLD_SIZE counts processes."""
_SMALL_MODEL: Final = 50_000_000
"""Parameters below which starting kernels takes longer than computing on a fast GPU; ViT-S has 25 million."""
_COMPILING_PAYS_FROM: Final = 1000
"""Steps from which compiling is worth it: 25 to 30 s the first time, then 34 ms less per step of ViT-L on an H200."""
_COMPILING_SMALL_PAYS_FROM: Final = 1500
"""The same of small models: 18 ms less per step of ViT-S."""
_COMPILING_RECORDED_PAYS_FROM: Final = 6000
"""The same of small models whose steps are recorded: 4 ms less."""
_RECORDING_PAYS_FROM: Final = 60
"""Steps from which recording one, which takes 0.6 s and saves a small model up to 40 ms per step, is worth it."""
_PRECISIONS: Final = {Precision.FP32: "32-true", Precision.BF16: "bf16-mixed", Precision.FP16: "16-mixed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """Devices of one run.

    Attributes:
        on_gpu: Whether GPUs are used.
        devices: Indices of the GPUs; empty on a processor.
        nodes: Number of machines.
        precision: Arithmetic that is used.
        notices: Differences from the spec, as sentences.
    """

    on_gpu: bool
    devices: tuple[int, ...]
    nodes: int
    precision: Precision
    notices: tuple[str, ...]

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return max(1, len(self.devices)) * self.nodes

    @property
    def model_device(self) -> torch.device:
        """Where the model is built: on the GPU of a run on one, where drawing weights takes no time."""
        is_alone = self.on_gpu and self.world_size == 1
        return torch.device("cuda", self.devices[0]) if is_alone else torch.device("cpu")

    def shards(self, train: TrainConfig) -> bool:
        """Tell whether the weights are spread over the GPUs of the run."""
        return self.on_gpu and self.world_size > 1 and train.distributed_strategy is Strategy.FSDP

    @property
    def share(self) -> Share:
        """Which of the processes of the run this one is, known before they have met."""
        environment = build_environment()
        rank = environment.node_rank() * max(1, len(self.devices)) + environment.local_rank()
        return Share(rank=rank, world_size=self.world_size)

    @property
    def own_device(self) -> int | None:
        """Index of the GPU of this process; None without one."""
        return self.devices[build_environment().local_rank()] if self.on_gpu else None

    @property
    def lightning_precision(self) -> Any:  # noqa: ANN401 - a literal type that Lightning does not export
        """Lightning's name of the arithmetic."""
        return _PRECISIONS[self.precision]


def plan_devices(train: TrainConfig, environment: Mapping[str, str] = os.environ) -> DevicePlan:
    """Return the devices for a run on this machine.

    Raises:
        SpecError: more GPUs are asked for than this process can see.
    """
    nodes = count_nodes(train, environment)
    if not torch.cuda.is_available():
        notices = []
        if train.precision not in (None, Precision.FP32):
            notices.append(f"train.precision {train.precision} needs a GPU; computing in fp32 on the processor")
        if train.num_gpus > 1:
            notices.append(f"train.num_gpus {train.num_gpus} is not available; computing on the processor")
        if train.distributed_strategy is Strategy.FSDP and nodes > 1:
            notices.append("train.distributed_strategy fsdp needs GPUs; the processes share the work by ddp")
        return DevicePlan(on_gpu=False, devices=(), nodes=nodes, precision=Precision.FP32, notices=tuple(notices))
    precision = train.precision or Precision.BF16
    return DevicePlan(on_gpu=True, devices=choose_gpus(train), nodes=nodes, precision=precision, notices=())


def resolve_precision(plan: DevicePlan) -> DevicePlan:
    """Return a plan for GPUs with an arithmetic that they have; waits for the driver, so call it late."""
    if plan.precision is not Precision.BF16 or torch.cuda.is_bf16_supported():
        return plan
    return replace(plan, precision=Precision.FP32, notices=("this GPU has no bf16; computing in fp32",))


def choose_gpus(train: TrainConfig) -> tuple[int, ...]:
    """Return GPU indices: ``gpu_ids`` if they are ``num_gpus`` many, else the first of the larger number.

    To be called where there is a GPU.

    Raises:
        SpecError: more or other GPUs than this process can see.
    """
    count = max(train.num_gpus, len(train.gpu_ids))
    chosen = train.gpu_ids if len(train.gpu_ids) == train.num_gpus else tuple(range(count))
    if len(set(chosen)) < len(chosen):
        raise SpecError(f"train.gpu_ids: found {list(chosen)}, expected each GPU once; remove the repetition")
    # Counting takes 10 to 20 ms, and there is at least one.
    visible = torch.cuda.device_count() if max(chosen) else 1
    if max(chosen) >= visible:
        raise SpecError(
            f"train.num_gpus and train.gpu_ids: found GPUs {', '.join(map(str, chosen))}, expected indices below "
            f"{visible}, the number of GPUs that this process can see"
        )
    return chosen


def count_nodes(train: TrainConfig, environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of machines: of torchrun, else ``WORLD_SIZE``, else ``train.num_nodes``.

    Raises:
        SpecError: WORLD_SIZE is not a number of nodes.
    """
    if _NODES in environment:
        return int(environment[_NODES])
    text = environment.get("WORLD_SIZE", "")
    if not text:
        return train.num_nodes
    if not text.isdigit() or int(text) < 1:
        raise SpecError(f"the variable WORLD_SIZE: found {text!r}, expected the number of nodes, from 1")
    if "TORCHELASTIC_RUN_ID" in environment:
        return max(1, int(text) // int(environment.get("LOCAL_WORLD_SIZE", "1")))
    return int(text)


def export_node_count(plan: DevicePlan) -> None:
    """Put the number of nodes into the environment, which the processes that Lightning starts inherit."""
    os.environ[_NODES] = str(plan.nodes)


def decide_compile(
    train: TrainConfig, plan: DevicePlan, *, steps: int, parameters: int, is_recorded: bool
) -> tuple[bool, str]:
    """Tell whether to compile the model, and why, as a sentence for the log.

    Args:
        train: Its ``compile`` decides, unless it is ``auto``.
        plan: Devices.
        steps: Optimiser steps of the whole run.
        parameters: Size of the model.
        is_recorded: Whether the step is recorded as a CUDA graph.
    """
    match train.compile:
        case Switch.ON:
            return True, "the model is compiled, as set by train.compile"
        case Switch.OFF:
            return False, "the model is not compiled, as set by train.compile"
        case Switch.AUTO:
            if not plan.on_gpu:
                return False, "the model is not compiled: no GPU"
            if plan.shards(train):
                return False, "the model is not compiled: it is sharded"
            least = _COMPILING_PAYS_FROM
            if parameters < _SMALL_MODEL:
                least = _COMPILING_RECORDED_PAYS_FROM if is_recorded else _COMPILING_SMALL_PAYS_FROM
            if steps < least:
                return False, f"the model is not compiled: {steps} steps are fewer than {least}"
            return True, f"the model is compiled: {steps} steps are at least {least}"


def decide_recording(train: TrainConfig, plan: DevicePlan, *, steps: int) -> tuple[bool, str]:
    """Tell whether to record the training step as a CUDA graph, and why, as a sentence for the log.

    Args:
        train: Its ``cuda_graph`` decides where a step can be recorded, unless it is ``auto``.
        plan: Devices and arithmetic.
        steps: Optimiser steps of the whole run.
    """
    hindrances = {
        "no GPU": not plan.on_gpu,
        "it is a dry run": train.is_dry_run,
        "the model is sharded": plan.shards(train),
        "the gradient scaler of fp16 decides on the host": plan.precision is Precision.FP16,
    }
    found = [reason for reason, holds in hindrances.items() if holds]
    if train.cuda_graph is Switch.OFF:
        found = ["train.cuda_graph is off"]
    elif train.cuda_graph is Switch.AUTO and steps < _RECORDING_PAYS_FROM:
        found.append(f"{steps} steps are fewer than {_RECORDING_PAYS_FROM}")
    if found:
        return False, f"the training step is not recorded as a CUDA graph: {found[0]}"
    because = f"{steps} steps" if train.cuda_graph is Switch.AUTO else "train.cuda_graph is on"
    return True, f"the training step is recorded as a CUDA graph: {because}"


def build_strategy(plan: DevicePlan, train: TrainConfig, model: nn.Module, *, is_recorded: bool = False) -> Any:  # noqa: ANN401 - a strategy or its name
    """Return Lightning's strategy for the plan; FSDP shards ``model`` block by block.

    Args:
        plan: Devices and number of processes.
        train: The strategy that is asked for.
        model: The model.
        is_recorded: Whether the training step is recorded and so exchanges gradients itself.
    """
    if plan.world_size == 1:
        return "auto"
    if plan.shards(train):
        from depth_net.training.sharding import ShardedStrategy  # noqa: PLC0415 - only for several GPUs

        return ShardedStrategy(auto_wrap_policy={block_class(model)}, state_dict_type="full", use_orig_params=True)
    from lightning.pytorch.strategies import DDPStrategy  # noqa: PLC0415 - only for several processes

    from depth_net.training.gradient_exchange import ExchangeStrategy  # noqa: PLC0415 - as above

    if is_recorded:
        return ExchangeStrategy()
    return DDPStrategy(find_unused_parameters=False, gradient_as_bucket_view=True)


def build_environment() -> Any:  # noqa: ANN401 - one of Lightning's cluster environments
    """Return Lightning's environment for what starts the processes of a run: torchrun, or Lightning itself.

    Chosen here: Lightning's detection initialises MPI wherever mpi4py can be imported, which ends the process on
    a host whose MPI does not work, and takes a Slurm job around a trial for the trial's own.
    """
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment  # noqa: PLC0415 - as above
    from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment  # noqa: PLC0415

    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()


def block_class(model: nn.Module) -> type[nn.Module]:
    """Return the class of the blocks of the longest list of modules: those of the transformer."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return type(max(lists, key=len)[0])
