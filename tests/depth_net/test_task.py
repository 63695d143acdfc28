from __future__ import annotations

import math

import torch

from depth_net.config.choices import Encoder
from depth_net.config.dataset import DatasetConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.model import ModelConfig
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.task import DepthTask, MeanLoss


def build(encoder: Encoder = Encoder.TINY) -> DepthTask:
    config = ExperimentConfig(dataset=DatasetConfig(min_depth=0.1, max_depth=10.0), model=ModelConfig(encoder=encoder))
    model = DepthAnything(encoder=encoder.value, model_type=ModelType.METRIC, max_depth_m=10.0)
    return DepthTask(model, config, total_steps=10, fused=False)


def test_the_mean_loss_keeps_a_nan() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(1.0))
    mean.update(torch.tensor(3.0))
    assert float(mean.compute()) == 2.0

    mean.update(torch.tensor(math.nan))

    assert math.isnan(float(mean.compute()))


def test_a_checkpoint_restores_the_random_state() -> None:
    task, checkpoint = build(), dict[str, object]()
    task.on_save_checkpoint(checkpoint)
    expected = torch.rand(3)

    task.on_load_checkpoint(checkpoint)

    assert torch.equal(torch.rand(3), expected)


def test_metrics_leave_no_trace_in_a_checkpoint() -> None:
    assert {name.split(".")[0] for name in build().state_dict()} == {"model"}


def test_every_trainable_weight_gets_a_gradient() -> None:
    task = build()

    task.model(torch.rand(1, 3, 28, 42)).sum().backward()

    missing = [name for name, p in task.model.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing
