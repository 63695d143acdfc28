from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import Mock, patch

import pytest
import torch
from torch import nn

from depth_net.training import gradient_exchange
from depth_net.training.gradient_exchange import GradientExchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Conv2d(4, 5, 2))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return model


def gradients_of(model: nn.Module) -> list[Tensor]:
    return [each.grad.clone() for each in model.parameters() if each.grad is not None]


@pytest.fixture
def sums() -> Iterator[list[int]]:
    """Two processes whose gradients are equal; the sizes of what they have added."""
    sizes: list[int] = []

    def add(values: Tensor, *, async_op: bool) -> Mock:
        assert async_op
        sizes.append(values.numel())
        values.mul_(2)
        return Mock()

    with (
        patch.object(torch.distributed, "get_world_size", return_value=2),
        patch.object(torch.distributed, "all_reduce", add),
    ):
        yield sizes


def test_gradients_are_averaged_in_buckets_that_fill_from_the_end(
    sums: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_exchange, "BUCKET_BYTES", 4 * 60)
    model, images = network(), torch.randn(2, 3, 6, 6)
    model(images).square().sum().backward()
    expected = gradients_of(model)
    model.zero_grad()
    exchange = GradientExchange(list(model.parameters()))

    exchange.begin()
    model(images).square().sum().backward()
    exchange.finish()

    assert sums == [5 + 80, 4 + 48]
    torch.testing.assert_close(gradients_of(model), expected)
    # The fused optimiser needs gradients in the memory layout of their parameters.
    assert [each.grad.stride() for each in model.parameters() if each.grad is not None] == [
        each.stride() for each in model.parameters()
    ]


def test_only_the_backward_pass_that_ends_a_step_is_exchanged(sums: list[int]) -> None:
    model, images = network(), torch.randn(2, 3, 6, 6)
    exchange = GradientExchange(list(model.parameters()))

    model(images).square().sum().backward()
    once = gradients_of(model)
    assert not sums
    exchange.begin()
    model(images).square().sum().backward()
    exchange.finish()

    assert len(sums) == 1
    torch.testing.assert_close(gradients_of(model), [2 * each for each in once])


@pytest.mark.usefixtures("sums")
def test_a_parameter_without_a_gradient_is_an_error_and_not_a_wait() -> None:
    model = network()
    exchange = GradientExchange(list(model.parameters()))

    exchange.begin()
    model[0](torch.randn(2, 3, 6, 6)).sum().backward()
    with pytest.raises(RuntimeError, match="2 parameters got no gradient"):
        exchange.finish()
