"""Training throughput on one device, side by side with the published model in a plain loop.

On a GPU host, from the repository root (about 8 minutes; lines appear as they are measured, a table at the end):

    python -m benchmarks.depth_net.training_step --out "$OUT" --budget 540

Choose with `--variants` and `--batches`; the most useful pairs come first, and none starts after `--budget` seconds.
On a CPU: `python -m benchmarks.depth_net.training_step --encoder vit_tiny --size 98 --batches 8 --threads 1`.
To see that it runs at all: `python -m benchmarks.depth_net.training_step --smoke`.

Each line states images per second with data loading from JPEG and PNG files, the share of time in which the device
waits, peak memory, and model FLOP utilisation: the operations of the published model over what a large bf16 matrix
product reaches on the same device. Where OpenCV is missing, batches are made on the device instead and the line says
``data none``.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import logging
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.depth_net.steps import (
    DEVIATION,
    MEAN,
    VARIANTS,
    Batch,
    Compiled,
    Timing,
    Variant,
    build,
    count_flops,
    make_step,
    measure,
    measure_matmul_rate,
    prefetch,
)
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = 512


def main() -> None:
    """Measure every chosen variant at every chosen batch size."""
    options = _read_options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    started = time.monotonic()
    if options.data == "files":
        # Before the device is used: processes that cannot be forked import PyTorch again, for half a minute and more.
        _start_first_loader(options, device)
    _prepare(device)
    facts = _describe_machine(options, device)
    print(f"ready to measure after {time.monotonic() - started:.0f} s", flush=True)
    print("  ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    lines: list[dict[str, Any]] = []
    for name, batch_size in _pairs(options):
        if time.monotonic() - started > options.budget:
            print(f"{name} batch {batch_size}: not started, {options.budget} s are over", flush=True)
            continue
        line = _measure_one(VARIANTS[name], batch_size, options, device)
        if "images_per_s" in line:
            line["mfu"] = line["images_per_s"] * facts["flops_per_image"] / facts["matmul_flops_per_s"]
        lines.append(line)
        print(_as_row(line), flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            content = json.dumps({"machine": facts, "lines": lines}, indent=1)
            (options.out / "training_step.json").write_text(content + "\n", encoding="utf-8")
    _stop_loaders()


def _pairs(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Most useful first: everything at the middle batch, then the best and the published one at the others."""
    middle = options.batches[len(options.batches) // 2]
    others = [size for size in options.batches if size != middle]
    return [(name, middle) for name in options.variants] + [
        (name, size) for size in others for name in options.variants if name in options.across
    ]


def _measure_one(
    variant: Variant, batch_size: int, options: argparse.Namespace, device: torch.device
) -> dict[str, Any]:
    line: dict[str, Any] = {"variant": variant.name, "batch": batch_size, "data": options.data}
    torch.compiler.reset()
    try:
        model, optimizer = build(variant, options.encoder, device)
        step = make_step(model, optimizer, variant, device)
        timing: Timing = measure(step, _batches(batch_size, options, device), options.steps, device)
        line |= asdict(timing)
        del model, optimizer, step
    except torch.OutOfMemoryError:
        line["failed"] = "out of memory"
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return line


def _batches(batch_size: int, options: argparse.Namespace, device: torch.device) -> Iterator[Batch]:
    if options.data == "none":
        return _made_on_device(batch_size, options.size, device)
    return prefetch(_loader(batch_size, options, device), device)


def _made_on_device(batch_size: int, size: int, device: torch.device) -> Iterator[Batch]:
    generator = torch.Generator(device).manual_seed(0)
    images = torch.randn(batch_size, 3, size, size, device=device, generator=generator)
    depth = torch.rand(batch_size, size, size, device=device, generator=generator) * 8 + 1
    while True:
        yield images, depth, depth > 0


_LOADERS: dict[int, Any] = {}
"""By batch size; their processes stay."""


def _start_first_loader(options: argparse.Namespace, device: torch.device) -> None:
    from depth_net.data.loaders import one_thread, pinning_for, start_processes  # noqa: PLC0415  # as below

    batch_size = _pairs(options)[0][1]
    with one_thread(), pinning_for(0 if device.type == "cuda" else None):
        loader = _loader(batch_size, options, device)
        start_processes(loader)
    _LOADERS[batch_size] = loader


def _stop_loaders() -> None:
    for loader in _LOADERS.values():
        from depth_net.data.loaders import stop_processes  # noqa: PLC0415 - needs OpenCV

        stop_processes(loader)


def _loader(batch_size: int, options: argparse.Namespace, device: torch.device) -> Any:  # noqa: ANN401  # needs OpenCV
    if batch_size in _LOADERS:
        return _LOADERS[batch_size]
    from depth_net.data.loaders import build_loader  # noqa: PLC0415  # needs OpenCV, which a GPU host may lack

    return build_loader(
        _dataset(options),
        batch_size=batch_size,
        workers=options.workers,
        pin_memory=device.type == "cuda",
        seed=0,
    )


def _dataset(options: argparse.Namespace) -> Any:  # noqa: ANN401  # its class needs OpenCV
    from benchmarks.depth_net.photographs import PASSES, write_apart  # noqa: PLC0415
    from depth_net.config.dataset import DataSource  # noqa: PLC0415
    from depth_net.data.dataset import build_dataset  # noqa: PLC0415

    return build_dataset(
        [DataSource(dataset_name="NYUDV2", data_file=str(write_apart(options.files, options.count)))] * PASSES,
        split="train",
        model_type=ModelType.METRIC,
        crop_size=(options.size, options.size),
        input_mean=MEAN,
        input_std=DEVIATION,
        min_depth_m=0.001,
        max_depth_m=10.0,
        seed=0,
    )


def _describe_machine(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    facts: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU",
        "torch": torch.__version__,
        "encoder": options.encoder,
        "size": options.size,
        "cores": len(os.sched_getaffinity(0)),
        "workers": options.workers,
        "flops_per_image": count_flops(options.encoder, options.size),
        "matmul_flops_per_s": measure_matmul_rate(device) if on_gpu else measure_matmul_rate(device, 1024, 5),
    }
    if options.data == "files":
        dataset = _dataset(options)
        started = time.perf_counter()
        for index in range(32):
            dataset[index % len(dataset)]
        facts["load_ms_per_image_and_core"] = 1e3 * (time.perf_counter() - started) / 32
    return facts


def _prepare(device: torch.device) -> None:
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


def _as_row(line: dict[str, Any]) -> str:
    head = f"{line['variant']:20s} batch {line['batch']:3d}  data {line['data']:5s}"
    if "failed" in line:
        return f"{head}  {line['failed']}"
    idle = "-" if line["idle"] is None else f"{100 * line['idle']:.1f} %"
    peak = "-" if line["peak_gib"] is None else f"{line['peak_gib']:.1f} GiB"
    return (
        f"{head}  {line['images_per_s']:7.1f} images/s  {line['step_ms']:8.1f} ms/step  idle {idle}  peak {peak}  "
        f"MFU {100 * line['mfu']:.1f} %  ready after {line['ready_s']:.1f} s  loss {line['loss']:.4f}"
    )


def _read_options() -> argparse.Namespace:
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if on_gpu else "cpu")
    parser.add_argument("--encoder", default="vitl")
    parser.add_argument("--size", type=int, default=518)
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--across", nargs="+", default=["parts, recorded", "published"])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--data", choices=("files", "none"), default="files" if _has_opencv() else "none")
    parser.add_argument("--files", type=Path, default=Path(tempfile.gettempdir()) / "depth_net_benchmark")
    parser.add_argument("--count", type=int, default=FILES)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch; 0 leaves its choice")
    parser.add_argument("--budget", type=float, default=1e9, help="seconds after which no measurement starts")
    parser.add_argument("--out", type=Path, help="folder for training_step.json")
    parser.add_argument("--smoke", action="store_true", help="tiny model, tiny images, three steps, CPU")
    options = parser.parse_args()
    if options.smoke:
        options.device, options.encoder, options.size, options.batches = "cpu", "vit_tiny", 70, [2, 4]
        options.steps, options.count, options.workers, options.threads = 3, 8, 0, 1
        options.variants = [
            name for name, each in VARIANTS.items() if each.compiled is Compiled.NOT and not each.recorded
        ]
    return options


def _has_opencv() -> bool:
    return importlib.util.find_spec("cv2") is not None


if __name__ == "__main__":
    main()
