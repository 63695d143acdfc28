from __future__ import annotations

import math

import pytest
import torch

from depth_net.errors import DivergenceError
from depth_net.training import divergence
from depth_net.training.divergence import CHECK_EVERY, DivergenceMonitor

CPU = torch.device("cpu")


def late_monitor() -> DivergenceMonitor:
    """A monitor that looks at intervals, as on a GPU."""
    monitor = DivergenceMonitor(CPU, shared=False)
    monitor._immediate = False  # noqa: SLF001 - the branch of GPUs, on a processor
    return monitor


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_on_a_processor_the_very_step_is_reported(value: float) -> None:
    monitor = DivergenceMonitor(CPU, shared=False)
    monitor.watch(torch.tensor(1.0), epoch=0, step=6)

    with pytest.raises(DivergenceError, match="epoch 2, step 7"):
        monitor.watch(torch.tensor(value), epoch=2, step=7)


def test_on_a_gpu_the_first_bad_step_is_reported_within_two_intervals() -> None:
    monitor = late_monitor()
    for step in range(2 * CHECK_EVERY - 1):
        monitor.watch(torch.tensor(math.nan if step in (5, 9) else 1.0), epoch=0, step=step)

    with pytest.raises(DivergenceError, match="step 5"):
        monitor.watch(torch.tensor(1.0), epoch=0, step=2 * CHECK_EVERY - 1)


def test_the_end_of_an_epoch_looks_at_every_step() -> None:
    monitor = late_monitor()
    monitor.watch(torch.tensor(1.0), epoch=0, step=0)
    monitor.finish(epoch=0)
    monitor.watch(torch.tensor(math.nan), epoch=0, step=1)

    with pytest.raises(DivergenceError, match="step 1"):
        monitor.finish(epoch=0)


def test_the_error_says_what_to_do() -> None:
    text = str(divergence.divergence(epoch=0, step=1, value="nan"))

    assert "train.optim.lr" in text
    assert "warmup_fraction" in text
