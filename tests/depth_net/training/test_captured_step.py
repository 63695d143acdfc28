from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn import functional

from depth_net.losses import loss_of as loss_of_family
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.resize import Resize
from depth_net.training.captured_step import WARM_UP_STEPS, CapturedStep, CudaRecorder
from tests.depth_net.training.recorded_graph import ProcessorRecorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def train(
    batches: list[tuple[Tensor, Tensor]], *, accumulate: int = 1, recorder: ProcessorRecorder | None = None
) -> tuple[list[float], list[Tensor], list[float]]:
    """Train a small network at rates that change with each step, plainly or recorded; return losses, weights, rates."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
    groups = [{"params": list(model[0].parameters()), "lr": 0.01}, {"params": list(model[2].parameters()), "lr": 0.1}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))

    def loss_of(inputs: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(model(inputs), target)

    def compute(batch: tuple[Tensor, ...], *, first: bool, last: bool) -> Tensor:
        if first:
            optimizer.zero_grad()
        loss = loss_of(*batch)
        (loss / accumulate).backward()  # type: ignore[no-untyped-call]  # torch annotates in part
        if last:
            nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()
        return loss.detach()

    run: Callable[..., Tensor] = compute
    if recorder is not None:
        run = CapturedStep(loss_of, optimizer, recorder=recorder, accumulate=accumulate, clip=0.05, exchange=None).run
    losses, count = [], len(batches)
    for index, batch in enumerate(batches):
        last = (index + 1) % accumulate == 0 or index + 1 == count
        losses.append(float(run(batch, first=index % accumulate == 0, last=last)))
        if last:
            schedule.step()
    rates = [group["lr"] for group in optimizer.param_groups]
    return losses, [each.detach().clone() for each in model.parameters()], rates


def make_batches(count: int, *, size: int = 6) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(size, 4, generator=generator), torch.randn(size, 1, generator=generator)) for _ in range(count)
    ]


@pytest.mark.parametrize(("accumulate", "count", "recordings"), [(1, 12, 1), (2, 16, 2), (4, 29, 3)])
def test_a_recorded_step_computes_what_an_ordinary_one_does(accumulate: int, count: int, recordings: int) -> None:
    recorder, batches = ProcessorRecorder(), make_batches(count)

    recorded = train(batches, accumulate=accumulate, recorder=recorder)
    ordinary = train(batches, accumulate=accumulate)

    assert recorder.recorded == recordings
    # A last step of one batch, where others have several, is not recorded.
    assert recorder.replayed == count - WARM_UP_STEPS * accumulate - (1 if count % accumulate == 1 < accumulate else 0)
    # A learning rate is rounded to 32 bits in a recording.
    torch.testing.assert_close(recorded[:2], ordinary[:2], rtol=1e-5, atol=1e-6)
    assert recorded[2] == ordinary[2]


def test_a_batch_of_another_size_is_computed_as_usual() -> None:
    batches = make_batches(10)
    batches[7] = (batches[7][0][:3], batches[7][1][:3])
    recorder = ProcessorRecorder()

    recorded, ordinary = train(batches, recorder=recorder), train(batches)

    assert recorder.replayed == 10 - WARM_UP_STEPS - 1
    torch.testing.assert_close(recorded[:2], ordinary[:2], rtol=1e-5, atol=1e-6)


def test_rates_of_the_optimiser_stay_plain_numbers_for_schedules_and_checkpoints() -> None:
    _, _, rates = train(make_batches(6), recorder=ProcessorRecorder())

    assert [type(rate) for rate in rates] == [float, float]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("model_type", list(ModelType))
def test_on_a_gpu_fifty_recorded_steps_have_the_losses_of_ordinary_ones(model_type: ModelType) -> None:
    device = torch.device("cuda")
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 4, 3, 252, 252, generator=generator)
    targets = torch.rand(8, 4, 252, 252, generator=generator) * 4 + 1
    batches = [(image.to(device), target.to(device)) for image, target in zip(images, targets, strict=True)]
    losses: list[list[float]] = []
    for recorder in (None, CudaRecorder()):
        torch.manual_seed(0)
        model = DepthAnything(
            encoder="vits",
            model_type=model_type,
            max_depth_m=10.0 if model_type is ModelType.METRIC else None,
            resize=Resize.PRODUCT,
        ).to(device)
        model.use_channels_last()
        parameters = [each for each in model.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=True)
        loss_of = partial(_loss_of, model, model_type)
        step = CapturedStep(loss_of, optimizer, recorder=recorder or Plain(), accumulate=1, clip=0.1, exchange=None)
        losses.append([])
        for index in range(50):
            with torch.autocast("cuda", torch.bfloat16):
                losses[-1].append(float(step.run(batches[index % 8], first=True, last=True)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[0][-1] < losses[0][0]


def _loss_of(model: nn.Module, model_type: ModelType, images: Tensor, target: Tensor) -> Tensor:
    predicted = model(images)
    with torch.autocast(images.device.type, enabled=False):
        return loss_of_family(model_type)(predicted.float(), target, target > 0)


class Plain:
    """Computes where a recording would be replayed; only for steps of one batch."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        """See `Recorder`."""
        result = torch.zeros((), device="cuda")
        return result, lambda: result.copy_(work())

    def release(self) -> None:
        """See `Recorder`."""
