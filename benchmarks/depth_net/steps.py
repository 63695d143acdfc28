"""One training step, as we take it and as the published trainer takes it, and how its time is measured."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.depth_net.published_model import PublishedModel
from depth_net.losses import silog
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.resize import Resize
from depth_net.training.captured_step import CapturedStep, CudaRecorder
from depth_net.training.normalization import Normalization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_DEPTH_M = 10.0
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WARM_UP_STEPS = 5

Batch = tuple[Tensor, Tensor, Tensor]
"""Images (B, 3, H, W), depth in metres (B, H, W), valid (B, H, W), on the device."""


class Compiled(StrEnum):
    """What is compiled."""

    NOT = "not"
    PARTS = "parts"
    """One transformer block for all, and the head."""
    WHOLE = "whole"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is measured.

    Attributes:
        name: Label in the table.
        published: The published model, unfused optimiser and a host synchronisation per step, instead of ours.
        compiled: What is compiled.
        resize: How our head enlarges.
        channels_last: Keep the head's convolution weights in channels-last memory.
        attention: ``auto``, ``cudnn`` or ``flash``.
        checkpointing: Recompute transformer blocks in the backward pass.
        recorded: Record the step as a CUDA graph, as training does.
    """

    name: str
    published: bool = False
    compiled: Compiled = Compiled.NOT
    resize: Resize = Resize.KERNEL
    channels_last: bool = False
    attention: str = "auto"
    checkpointing: bool = False
    recorded: bool = False


_OURS = Variant(name="parts", compiled=Compiled.PARTS, resize=Resize.PRODUCT, channels_last=True)
VARIANTS = {
    variant.name: variant
    for variant in (
        replace(_OURS, name="eager", compiled=Compiled.NOT),
        replace(_OURS, name="eager, recorded", compiled=Compiled.NOT, recorded=True),
        _OURS,
        replace(_OURS, name="parts, recorded", recorded=True),
        Variant(name="published", published=True),
        replace(_OURS, name="parts, kernel", resize=Resize.KERNEL),
        replace(_OURS, name="whole", compiled=Compiled.WHOLE),
        replace(_OURS, name="parts, cudnn", attention="cudnn"),
        replace(_OURS, name="eager, kernel", compiled=Compiled.NOT, resize=Resize.KERNEL),
        replace(_OURS, name="eager, kernel, nchw", compiled=Compiled.NOT, resize=Resize.KERNEL, channels_last=False),
        replace(_OURS, name="whole, kernel", compiled=Compiled.WHOLE, resize=Resize.KERNEL),
        replace(_OURS, name="parts, nchw", channels_last=False),
        replace(_OURS, name="parts, recompute", checkpointing=True),
        Variant(name="published, whole", published=True, compiled=Compiled.WHOLE),
    )
}
"""By name: what needs no compiler first, so that a line appears soon, then the most useful comparisons."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a measured run took.

    Attributes:
        images_per_s: Throughput over all measured steps, loading included.
        step_ms: Mean time of a step.
        idle: Share of the time in which the device had no step to run; None on a CPU.
        ready_s: Time of the steps that warm up, compilation and recording included.
        peak_gib: Largest memory in use on the device; None on a CPU.
        loss: The last loss, which shows that the run was a real one.
    """

    images_per_s: float
    step_ms: float
    idle: float | None
    ready_s: float
    peak_gib: float | None
    loss: float


def build(variant: Variant, encoder: str, device: torch.device) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Make the model of a variant and its optimiser, both with the head at ten times the learning rate."""
    torch.manual_seed(0)
    model: PublishedModel | DepthAnything
    if variant.published:
        model = PublishedModel(encoder, MAX_DEPTH_M).to(device)
        encoder_part, head_part = (
            list(model.pretrained.parameters()),
            list(model.get_submodule("metric_depth_head").parameters()),
        )
    else:
        model = DepthAnything(
            encoder=encoder,
            model_type=ModelType.METRIC,
            max_depth_m=MAX_DEPTH_M,
            activation_checkpointing=variant.checkpointing,
            resize=variant.resize,
        ).to(device)
        if variant.channels_last:
            model.use_channels_last()
        encoder_part, head_part = list(model.encoder_parameters()), list(model.head_parameters())
    groups = [{"params": encoder_part, "lr": 5e-6}, {"params": head_part, "lr": 5e-5}]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4, fused=None if variant.published else True)
    if variant.compiled is Compiled.WHOLE:
        model.compile()
    if variant.compiled is Compiled.PARTS and isinstance(model, DepthAnything):
        model.compile_parts()
    return model.train(), optimizer


def make_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, variant: Variant, device: torch.device
) -> Callable[[Batch], Tensor]:
    """Return the function that trains on one batch and gives its loss."""
    backends = {
        "cudnn": [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION],
        "flash": [SDPBackend.FLASH_ATTENTION],
    }
    reduced = device.type == "cuda"
    if variant.recorded:
        return _make_recorded_step(model, optimizer, device)

    def train_on(batch: Batch) -> Tensor:
        images, depth, valid = batch
        with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
            predicted = model(images)
        loss = silog(predicted.float(), depth, valid)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if variant.published:
            loss.item()  # the published loop prints the loss of every step
        return loss.detach()

    if variant.attention == "auto":
        return train_on

    def train_with_kernels(batch: Batch) -> Tensor:
        with sdpa_kernel(backends[variant.attention], set_priority=True):
            return train_on(batch)

    return train_with_kernels


def _make_recorded_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> Callable[[Batch], Tensor]:
    def loss_of(images: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
        predicted = model(images)
        with torch.autocast(device.type, enabled=False):
            return silog(predicted.float(), depth, valid)

    step = CapturedStep(loss_of, optimizer, recorder=CudaRecorder(), accumulate=1, clip=0.1, exchange=None)

    def train_on(batch: Batch) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return step.run(batch, first=True, last=True)

    return train_on


def measure(step: Callable[[Batch], Tensor], batches: Iterable[Batch], steps: int, device: torch.device) -> Timing:
    """Warm up, then time steps end to end."""
    stream = iter(batches)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    started = time.perf_counter()
    loss = step(next(stream))
    for batch in itertools.islice(stream, WARM_UP_STEPS - 1):
        loss = step(batch)
    _wait(device)
    ready_s = time.perf_counter() - started
    marks: list[tuple[Any, Any]] = []
    images = 0
    started = time.perf_counter()
    for batch in itertools.islice(stream, steps):
        begin, end = (_mark() for _ in range(2)) if on_gpu else (None, None)
        if begin is not None and end is not None:
            begin.record()
        loss = step(batch)
        if begin is not None and end is not None:
            end.record()
        marks.append((begin, end))
        images += len(batch[0])
    _wait(device)
    seconds = time.perf_counter() - started
    return Timing(
        images_per_s=images / seconds,
        step_ms=1e3 * seconds / len(marks),
        idle=_idle_share(marks) if on_gpu else None,
        ready_s=ready_s,
        peak_gib=torch.cuda.max_memory_allocated(device) / 2**30 if on_gpu else None,
        loss=float(loss),
    )


def _idle_share(marks: list[tuple[Any, Any]]) -> float:
    """Time between the end of a step and the beginning of the next, on the device's own clock, over all time."""
    gaps = sum(end.elapsed_time(begin) for (_, end), (begin, _) in itertools.pairwise(marks))
    return float(gaps / marks[0][0].elapsed_time(marks[-1][1]))


def prefetch(batches: Iterable[Any], device: torch.device) -> Iterator[Batch]:
    """Copy the next batch to the device while the current one is trained on; repeats the loader for ever."""
    normalization = Normalization(MEAN, DEVIATION).to(device)
    if device.type != "cuda":
        for batch in _repeat(batches):
            yield normalization(batch["image"]), batch["target"][:, 0], batch["valid"][:, 0]
        return
    copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def start(batch: Any) -> Batch:  # noqa: ANN401  # a batch of the loader, or of another one with the same keys
        with torch.cuda.stream(copies):
            image, target, valid = (batch[key].to(device, non_blocking=True) for key in ("image", "target", "valid"))
            return normalization(image), target[:, 0], valid[:, 0]

    stream = _repeat(batches)
    coming = start(next(stream))
    while True:
        torch.cuda.current_stream(device).wait_stream(copies)
        current = coming
        for tensor in current:
            tensor.record_stream(torch.cuda.current_stream(device))
        coming = start(next(stream))
        yield current


def _repeat(batches: Iterable[Any]) -> Iterator[Any]:
    """The loader over and over."""
    for epoch in itertools.count():
        sampler = getattr(batches, "sampler", None)
        if sampler is not None and hasattr(sampler, "set_epoch"):
            sampler.set_epoch(epoch)
        yield from batches


def count_flops(encoder: str, size: int) -> float:
    """Floating-point operations of one image, forward and backward, in the published model; nothing is computed."""
    with torch.device("meta"):
        model = PublishedModel(encoder, MAX_DEPTH_M)
        images = torch.empty(1, 3, size, size)
    counter = FlopCounterMode(display=False)
    with counter:
        model(images).sum().backward()
    return float(counter.get_total_flops())


def measure_matmul_rate(device: torch.device, side: int = 8192, repeats: int = 30) -> float:
    """Floating-point operations per second of a square bf16 product (float32 on a CPU)."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    left = torch.randn(side, side, device=device, dtype=dtype)
    right = torch.randn(side, side, device=device, dtype=dtype)
    for _ in range(3):
        left @ right
    _wait(device)
    started = time.perf_counter()
    for _ in range(repeats):
        left @ right
    _wait(device)
    return 2 * side**3 * repeats / (time.perf_counter() - started)


def _mark() -> Any:  # noqa: ANN401  # torch does not type its events
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
