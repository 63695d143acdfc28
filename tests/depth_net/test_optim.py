from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from depth_net.config.choices import Scheduler
from depth_net.config.train import OptimConfig
from depth_net.optim import build_optimizer, build_scheduler, learning_rate_factor, warm_up_factor

if TYPE_CHECKING:
    from collections.abc import Iterator

TOTAL = 6


class Parts:
    def __init__(self) -> None:
        self.first, self.second, self.early = (nn.Parameter(torch.ones(1)) for _ in range(3))

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        return iter([self.first])

    def head_parameters(self) -> Iterator[nn.Parameter]:
        return iter([self.second])

    def encoder_layers(self) -> list[list[nn.Parameter]]:
        return [[self.first], [], [self.early]]


def rates(optim: OptimConfig, steps: int = TOTAL) -> list[tuple[float, float]]:
    optimizer = build_optimizer(Parts(), optim, fused=False)
    scheduler = build_scheduler(optimizer, optim, TOTAL)
    found = []
    for _ in range(steps):
        found.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def test_lambda_lr_starts_at_one_and_falls_linearly_to_zero() -> None:
    optim = OptimConfig(lr=1.0, lr_scheduler=Scheduler.LAMBDA)

    assert [rate for rate, _ in rates(optim)] == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert learning_rate_factor(TOTAL, optim=optim, total_steps=TOTAL, rate=1.0) == 0.0


class Convolution(Parts):
    """Its head is a convolution, with weights in a memory format."""

    def __init__(self, memory_format: torch.memory_format) -> None:
        super().__init__()
        weights = torch.arange(108.0).reshape(4, 3, 3, 3).contiguous(memory_format=memory_format)
        self.second = nn.Parameter(weights / 100)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [(torch.channels_last, torch.contiguous_format), (torch.contiguous_format, torch.channels_last)],
)
def test_a_run_goes_on_with_weights_in_another_memory_format(
    before: torch.memory_format, after: torch.memory_format, *, fused: bool
) -> None:
    def step(model: Convolution, optimizer: torch.optim.Optimizer) -> None:
        for weight in (model.first, model.second):
            weight.grad = torch.sin(1e3 * weight.detach())
        optimizer.step()

    one, other = Convolution(before), Convolution(after)
    first, second = (build_optimizer(model, OptimConfig(lr=0.1), fused=fused) for model in (one, other))
    for _ in range(2):
        step(one, first)
    for weight, source in ((other.first, one.first), (other.second, one.second)):
        weight.data.copy_(source.data)
    second.load_state_dict(deepcopy(first.state_dict()))

    for model, optimizer in ((one, first), (other, second)):
        step(model, optimizer)

    torch.testing.assert_close(other.second, one.second)
    averages = second.state[other.second]["exp_avg"]
    assert averages.stride() == other.second.stride()


def test_the_head_learns_faster_by_its_multiplier() -> None:
    optim = OptimConfig(
        lr=0.1, head_lr_multiplier=3.0, lr_scheduler=Scheduler.MULTI_STEP, lr_steps=(2, 4), lr_decay=0.5
    )

    expected = [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert [rate for rate, _ in rates(optim)] == pytest.approx(expected)
    assert [rate for _, rate in rates(optim)] == pytest.approx([3 * rate for rate in expected])


def test_step_lr_decays_every_step_size() -> None:
    optim = OptimConfig(lr=1.0, lr_scheduler=Scheduler.STEP, lr_step_size=3, lr_decay=0.1)

    assert [rate for rate, _ in rates(optim)] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1])


def test_cosine_ends_at_one_smallest_rate_for_both_groups() -> None:
    optim = OptimConfig(lr=1.0, lr_scheduler=Scheduler.COSINE, min_lr=0.01)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=TOTAL, eta_min=0.01)

    for step in range(TOTAL):
        assert learning_rate_factor(step, optim=optim, total_steps=TOTAL, rate=1.0) == pytest.approx(
            theirs.get_last_lr()[0], rel=1e-6
        )
        optimizer.step()
        theirs.step()
    assert 10 * learning_rate_factor(TOTAL, optim=optim, total_steps=TOTAL, rate=10.0) == pytest.approx(0.01)


def test_one_cycle_keeps_the_multiplier_of_the_head() -> None:
    found = rates(OptimConfig(lr=1e-3, head_lr_multiplier=10.0, lr_scheduler=Scheduler.ONE_CYCLE))

    assert [head / encoder for encoder, head in found] == pytest.approx([10.0] * TOTAL)
    assert max(encoder for encoder, _ in found) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("scheduler", list(Scheduler))
def test_no_schedule_ends_early_or_rises_above_the_rate(scheduler: Scheduler) -> None:
    found = rates(OptimConfig(lr=1e-3, lr_scheduler=scheduler))

    assert all(0 < rate <= 1e-3 + 1e-12 for rate, _ in found)


def test_warm_up_rises_linearly_and_then_leaves_the_schedule_alone() -> None:
    optim = OptimConfig(warmup_fraction=0.5, lr_scheduler=Scheduler.LAMBDA)

    factors = [warm_up_factor(step, optim, TOTAL) for step in range(TOTAL)]

    assert factors == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 1])
    assert learning_rate_factor(1, optim=optim, total_steps=TOTAL, rate=1.0) == pytest.approx(2 / 4 * 5 / 6)


def test_without_a_fraction_there_is_no_warm_up() -> None:
    assert warm_up_factor(0, OptimConfig(), TOTAL) == 1.0


def test_weight_decay_acts_on_both_groups() -> None:
    optimizer = build_optimizer(Parts(), OptimConfig(weight_decay=0.3), fused=False)

    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.3]
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def test_layers_that_are_earlier_learn_more_slowly() -> None:
    optimizer = build_optimizer(Parts(), OptimConfig(lr=1.0, head_lr_multiplier=10.0, layer_decay=0.5), fused=False)

    assert [(group["name"], group["lr"]) for group in optimizer.param_groups] == [
        ("encoder", 1.0),
        ("encoder_2", 0.25),
        ("head", 10.0),
    ]
