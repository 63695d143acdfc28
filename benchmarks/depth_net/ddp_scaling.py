"""How training throughput grows from one GPU to several on one host, with DistributedDataParallel.

On a host with two GPUs, from the repository root (about 4 minutes):

    python -m benchmarks.depth_net.ddp_scaling --out "$OUT"

To see that it runs at all: `python -m benchmarks.depth_net.ddp_scaling --smoke` (two CPU processes).

Every process trains on its share of the same files with the same batch size, first one process alone, then all. The
scaling is the ratio of images per second. Frozen parameters (the mask token, the residual unit that the deepest stage
never runs) take no part in the exchange, so unused parameters need not be searched for in every step.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.depth_net.meeting import HOST, find_free_port
from benchmarks.depth_net.steps import VARIANTS, build, make_step, measure, prefetch
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.depth_net.steps import Batch


def main() -> None:
    """Measure one process, then all, and print the ratio."""
    options = _read_options()
    totals = {}
    for world_size in (1, options.processes):
        with tempfile.TemporaryDirectory() as folder:
            start: Any = spawn  # torch does not type it
            start(_train, args=(world_size, find_free_port(), options, folder), nprocs=world_size)
            timings = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(Path(folder).iterdir())]
        totals[world_size] = sum(timing["images_per_s"] for timing in timings)
        peak = max(timing["peak_gib"] or 0.0 for timing in timings)
        idle = max(timing["idle"] or 0.0 for timing in timings)
        print(
            f"{world_size} processes  {totals[world_size]:.1f} images/s  {timings[0]['step_ms']:.1f} ms/step  "
            f"idle {100 * idle:.1f} %  peak {peak:.1f} GiB",
            flush=True,
        )
    scaling = totals[options.processes] / totals[1]
    print(f"scaling {scaling:.3f} with {options.processes} processes, batch {options.batch} each, {options.encoder}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"images_per_s": totals, "scaling": scaling, "batch": options.batch}, indent=1)
        (options.out / "ddp_scaling.json").write_text(content + "\n", encoding="utf-8")


def _train(rank: int, world_size: int, port: int, options: argparse.Namespace, folder: str) -> None:
    on_gpu = options.device == "cuda"
    device = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
    os.environ |= {"MASTER_ADDR": HOST, "MASTER_PORT": str(port)}
    if on_gpu:
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    else:
        torch.set_num_threads(1)
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        rank=rank,
        world_size=world_size,
        timeout=dt.timedelta(minutes=5),
        device_id=device if on_gpu else None,
    )
    variant = VARIANTS[options.variant]
    model, optimizer = build(variant, options.encoder, device)
    parallel = DistributedDataParallel(model, device_ids=[rank] if on_gpu else None, gradient_as_bucket_view=True)
    step = make_step(parallel, optimizer, variant, device)
    timing = measure(step, _batches(rank, world_size, options, device), options.steps, device)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(asdict(timing)), encoding="utf-8")
    distributed.barrier()
    distributed.destroy_process_group()


def _batches(rank: int, world_size: int, options: argparse.Namespace, device: torch.device) -> Iterable[Batch]:
    if options.data == "none":
        return _made_on_device(options, device)
    from benchmarks.depth_net.photographs import PASSES, write_photographs  # noqa: PLC0415  # needs OpenCV
    from depth_net.config.dataset import DataSource  # noqa: PLC0415
    from depth_net.data.dataset import build_dataset  # noqa: PLC0415
    from depth_net.data.loaders import build_loader  # noqa: PLC0415

    if rank == 0:
        write_photographs(options.files, options.count)
    distributed.barrier()
    dataset = build_dataset(
        [DataSource(dataset_name="NYUDV2", data_file=str(write_photographs(options.files, options.count)))] * PASSES,
        split="train",
        model_type=ModelType.METRIC,
        crop_size=(options.size, options.size),
        input_mean=(0.485, 0.456, 0.406),
        input_std=(0.229, 0.224, 0.225),
        min_depth_m=0.001,
        max_depth_m=10.0,
        seed=0,
    )
    loader = build_loader(
        dataset,
        batch_size=options.batch,
        workers=options.workers,
        pin_memory=device.type == "cuda",
        seed=0,
        rank=rank,
        world_size=world_size,
    )
    return prefetch(loader, device)


def _made_on_device(options: argparse.Namespace, device: torch.device) -> Iterable[Batch]:
    images = torch.randn(options.batch, 3, options.size, options.size, device=device)
    depth = torch.rand(options.batch, options.size, options.size, device=device) * 8 + 1
    while True:
        yield images, depth, depth > 0


def _read_options() -> argparse.Namespace:
    gpus = torch.cuda.device_count()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if gpus else "cpu")
    parser.add_argument("--processes", type=int, default=max(2, gpus))
    parser.add_argument("--variant", choices=VARIANTS, default="parts")
    parser.add_argument("--encoder", default="vitl")
    parser.add_argument("--size", type=int, default=518)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--data", choices=("files", "none"), default=None)
    parser.add_argument("--files", type=Path, default=Path(tempfile.gettempdir()) / "depth_net_benchmark")
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="folder for ddp_scaling.json")
    parser.add_argument("--smoke", action="store_true", help="tiny model, tiny images, three steps, CPU")
    options = parser.parse_args()
    if options.smoke:
        options.device, options.encoder, options.size, options.batch = "cpu", "vit_tiny", 70, 2
        options.variant, options.steps, options.count, options.workers = "eager", 3, 8, 0
    if options.data is None:
        options.data = "files" if importlib.util.find_spec("cv2") else "none"
    return options


if __name__ == "__main__":
    main()
