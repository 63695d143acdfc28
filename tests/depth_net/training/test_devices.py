from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import pytest
import torch
from torch import nn

from depth_net.config.choices import Precision, Strategy, Switch
from depth_net.config.train import TrainConfig
from depth_net.data.sample_order import Share
from depth_net.errors import SpecError
from depth_net.training.devices import (
    DevicePlan,
    block_class,
    build_environment,
    build_strategy,
    choose_gpus,
    count_nodes,
    decide_compile,
    decide_recording,
    plan_devices,
    resolve_precision,
)

SMALL: Final[dict[str, Any]] = {"parameters": 25_000_000, "is_recorded": False}


def gpu_plan(devices: tuple[int, ...] = (0, 1)) -> DevicePlan:
    return DevicePlan(on_gpu=True, devices=devices, nodes=1, precision=Precision.BF16, notices=())


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU does")
def test_without_a_gpu_the_processor_computes_in_32_bits_and_says_so() -> None:
    plan = plan_devices(TrainConfig(precision=Precision.BF16, num_gpus=2), {})

    assert (plan.on_gpu, plan.precision, plan.lightning_precision, plan.world_size) == (False, "fp32", "32-true", 1)
    assert len(plan.notices) == 2


@pytest.mark.parametrize(
    ("named", "gpus", "precision"),
    [(None, 1, "bf16"), (Precision.FP32, 1, "fp32"), (Precision.FP16, 1, "fp16"), (None, 0, "fp32")],
)
def test_gpus_compute_in_bf16_unless_the_spec_names_another_arithmetic(
    named: Precision | None, gpus: int, precision: str
) -> None:
    with (
        patch.object(torch.cuda, "is_available", return_value=gpus > 0),
        patch.object(torch.cuda, "device_count", return_value=gpus),
    ):
        plan = plan_devices(TrainConfig(precision=named), {})

    assert (plan.precision, plan.notices) == (precision, ())


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU does")
def test_without_gpus_nothing_is_sharded_and_the_run_says_so() -> None:
    train = TrainConfig(distributed_strategy=Strategy.FSDP)

    plan = plan_devices(train, {"WORLD_SIZE": "2"})

    assert "train.distributed_strategy fsdp needs GPUs" in plan.notices[0]
    assert type(build_strategy(plan, train, nn.Linear(1, 1), is_recorded=False)).__name__ == "DDPStrategy"


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_without_bf16_computes_in_32_bits_and_says_so(has_bf16: bool, precision: str) -> None:  # noqa: FBT001 - a parameter of the test
    with patch.object(torch.cuda, "is_bf16_supported", return_value=has_bf16):
        plan = resolve_precision(gpu_plan())

    assert plan.precision == precision
    assert bool(plan.notices) is not has_bf16


@pytest.mark.parametrize(
    ("environment", "nodes"),
    [
        ({}, 3),
        ({"WORLD_SIZE": "2"}, 2),
        ({"WORLD_SIZE": "16", "LOCAL_WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "x"}, 2),
        ({"WORLD_SIZE": "16", "DEPTH_NET_NODES": "4", "LOCAL_RANK": "1"}, 4),
    ],
)
def test_world_size_is_the_number_of_nodes_but_not_in_processes_that_were_started_for_us(
    environment: dict[str, str], nodes: int
) -> None:
    assert count_nodes(TrainConfig(num_nodes=3), environment) == nodes


def test_a_world_size_that_is_no_number_is_refused() -> None:
    with pytest.raises(SpecError, match="WORLD_SIZE"):
        count_nodes(TrainConfig(), {"WORLD_SIZE": "two"})


@pytest.mark.parametrize(
    ("count", "ids", "chosen"), [(1, (0,), (0,)), (2, (1, 3), (1, 3)), (2, (0,), (0, 1)), (1, (0, 1, 2), (0, 1, 2))]
)
def test_gpus_are_the_named_ones_or_the_first_of_the_larger_number(
    count: int, ids: tuple[int, ...], chosen: tuple[int, ...]
) -> None:
    with patch("torch.cuda.device_count", return_value=4):
        assert choose_gpus(TrainConfig(num_gpus=count, gpu_ids=ids)) == chosen


def test_a_gpu_that_is_not_there_is_refused_with_the_number_that_is() -> None:
    with patch("torch.cuda.device_count", return_value=1), pytest.raises(SpecError, match="below 1"):
        choose_gpus(TrainConfig(num_gpus=2))


def test_a_gpu_that_is_named_twice_is_refused() -> None:
    with patch("torch.cuda.device_count", return_value=4), pytest.raises(SpecError, match="each GPU once"):
        choose_gpus(TrainConfig(num_gpus=2, gpu_ids=(1, 1)))


@pytest.mark.parametrize(
    ("mode", "on_gpu", "steps", "compiled"),
    [
        (Switch.AUTO, True, 10_000, True),
        (Switch.AUTO, True, 100, False),
        (Switch.AUTO, False, 10_000, False),
        (Switch.ON, False, 1, True),
        (Switch.OFF, True, 10_000, False),
    ],
)
def test_compiling_is_decided_by_the_number_of_steps(
    mode: Switch,
    on_gpu: bool,  # noqa: FBT001 - a case
    steps: int,
    compiled: bool,  # noqa: FBT001 - a case
) -> None:
    plan = replace(gpu_plan((0,)), on_gpu=on_gpu)
    decided, reason = decide_compile(TrainConfig(compile=mode), plan, steps=steps, **SMALL)

    assert decided is compiled
    assert "compiled" in reason


@pytest.mark.parametrize(
    ("parameters", "is_recorded", "least"),
    [(335_000_000, True, 1000), (25_000_000, False, 1500), (25_000_000, True, 6000)],
)
def test_a_recorded_step_of_a_small_model_gains_less_by_compiling(
    parameters: int,
    is_recorded: bool,  # noqa: FBT001 - a case
    least: int,
) -> None:
    decided = [
        decide_compile(TrainConfig(), gpu_plan((0,)), steps=steps, parameters=parameters, is_recorded=is_recorded)[0]
        for steps in (least - 1, least)
    ]

    assert decided == [False, True]


def test_a_sharded_model_is_compiled_only_where_the_spec_says_so() -> None:
    train = TrainConfig(distributed_strategy=Strategy.FSDP, num_gpus=2)

    assert decide_compile(train, gpu_plan(), steps=10_000, **SMALL) == (
        False,
        "the model is not compiled: it is sharded",
    )
    assert decide_compile(train.model_copy(update={"compile": Switch.ON}), gpu_plan(), steps=1, **SMALL)[0]
    assert decide_compile(train, gpu_plan((0,)), steps=10_000, **SMALL)[0]


def test_one_device_needs_no_strategy_and_several_share_as_the_spec_says() -> None:
    model = nn.Sequential(nn.ModuleList([nn.Linear(1, 1)] * 3), nn.ModuleList([nn.ReLU()]))

    assert build_strategy(gpu_plan((0,)), TrainConfig(), model) == "auto"
    assert type(build_strategy(gpu_plan(), TrainConfig(), model, is_recorded=False)).__name__ == "DDPStrategy"
    sharded = build_strategy(gpu_plan(), TrainConfig(distributed_strategy=Strategy.FSDP), model, is_recorded=False)
    assert type(sharded).__name__ == "ShardedStrategy"
    assert block_class(model) is nn.Linear


def test_a_host_with_mpi_or_inside_a_slurm_job_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_JOB_NAME", "study")

    assert type(build_environment()).__name__ == "LightningEnvironment"


def test_torchrun_keeps_its_own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")

    assert type(build_environment()).__name__ == "TorchElasticEnvironment"


@pytest.mark.parametrize(
    ("train", "plan", "steps", "reason"),
    [
        (TrainConfig(), gpu_plan((0,)), 60, "recorded as a CUDA graph: 60 steps"),
        (TrainConfig(), gpu_plan((0,)), 59, "not recorded as a CUDA graph: 59 steps are fewer than 60"),
        (TrainConfig(cuda_graph=Switch.ON), gpu_plan((0,)), 4, "recorded as a CUDA graph: train.cuda_graph is on"),
        (TrainConfig(cuda_graph=Switch.OFF), gpu_plan((0,)), 9999, "not recorded as a CUDA graph: train.cuda_graph"),
        (TrainConfig(cuda_graph=Switch.ON), replace(gpu_plan(()), on_gpu=False), 9999, "not recorded as a CUDA gr"),
        (TrainConfig(), replace(gpu_plan((0,)), precision=Precision.FP16), 9999, "not recorded as a CUDA graph: the g"),
        (TrainConfig(is_dry_run=True), gpu_plan((0,)), 9999, "not recorded as a CUDA graph: it is a dry run"),
        (TrainConfig(num_gpus=2), gpu_plan(), 9999, "recorded as a CUDA graph: 9999 steps"),
        (TrainConfig(num_gpus=2, distributed_strategy=Strategy.FSDP), gpu_plan(), 9999, "not recorded as a CUDA graph"),
    ],
)
def test_a_step_is_recorded_where_it_can_be_and_enough_of_them_follow(
    train: TrainConfig, plan: DevicePlan, steps: int, reason: str
) -> None:
    decided, sentence = decide_recording(train, plan, steps=steps)

    assert sentence.startswith(f"the training step is {reason}")
    assert decided is not ("not recorded" in sentence)


def test_a_recorded_step_exchanges_its_gradients_itself() -> None:
    strategy = build_strategy(gpu_plan(), TrainConfig(num_gpus=2), nn.Linear(1, 1), is_recorded=True)

    assert type(strategy).__name__ == "ExchangeStrategy"


def test_a_process_knows_its_place_in_the_run_before_the_processes_have_met(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NODE_RANK", "GROUP_RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    plan = replace(gpu_plan((2, 3)), nodes=2)
    assert (plan.share, plan.own_device) == (Share(rank=0, world_size=4), 2)

    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")

    assert (plan.share, plan.own_device) == (Share(rank=3, world_size=4), 3)
    assert replace(plan, on_gpu=False).own_device is None
