"""How fast is `depth_net train` from JPEG and PNG files, and where does the rest of its time go?

    python -m benchmarks.depth_net.from_files --runs decoded kept kept "kept@0 kept@1" kept@0,1

Each run is one or more trainings side by side, each on its GPU or GPUs: `decoded` reads the files in every epoch,
`kept` keeps decoded samples on disk, in a cache that starts empty and that all runs share. Trainings are forked from
one process that has everything imported, as trials of a study are. For each epoch: images per second of its training,
with validation and checkpoint, and the share of the training in which the device had no step to run. `--smoke` takes
the same steps with a tiny model on a processor.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import json
import os
import re
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from lightning.pytorch.callbacks import Callback

from benchmarks.depth_net.photographs import write_apart
from depth_net.actions import train
from depth_net.cli import preload
from depth_net.execution import Request, execute

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

FILES = 1024
SMOKE_FILES = 24
LIMIT_S = 200
"""A training that takes longer is ended and shows where it stood."""


class Timeline(Callback):
    """Notes when a training does what; writes it at the end."""

    def __init__(self, place: Path, started: float) -> None:
        self.place = place
        self.started = started
        self.moments: list[tuple[str, float]] = []
        self.events: list[tuple[Any, Any]] = []
        self.idle: list[float | None] = []

    def note(self, what: str) -> None:
        """Note a moment, in seconds since the process was forked."""
        self.moments.append((what, time.monotonic() - self.started))

    def on_train_start(self, *_: Any) -> None:  # noqa: ANN401 - Lightning's hook
        """Note the end of all preparation."""
        self.note("train start")

    def on_train_epoch_start(self, *_: Any) -> None:  # noqa: ANN401 - as above
        """Begin an epoch."""
        self.note("epoch")
        self.events = []

    def on_train_batch_start(self, *_: Any) -> None:  # noqa: ANN401 - as above
        """Mark the beginning of a step on the device."""
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            self.events.append((torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)))  # type: ignore[no-untyped-call]
            self.events[-1][0].record()

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:  # noqa: ANN401 - as above
        """Mark its end; the last one of an epoch is waited for."""
        if self.events:
            self.events[-1][1].record()
        if args[-1] + 1 == trainer.num_training_batches:
            self.idle.append(self._idle_share())
            self.note("trained")
        elif args[-1] == 0 and trainer.current_epoch == 0:
            self.note("first step")

    def _idle_share(self) -> float | None:
        if len(self.events) < 2:  # noqa: PLR2004 - one gap
            return None
        torch.cuda.synchronize()
        gaps = sum(end.elapsed_time(begin) for (_, end), (begin, _) in pairwise(self.events))
        return float(gaps / self.events[0][0].elapsed_time(self.events[-1][1]))

    def on_validation_start(self, *_: Any) -> None:  # noqa: ANN401 - as above
        """Note it."""
        self.note("validation")

    def on_validation_end(self, *_: Any) -> None:  # noqa: ANN401 - as above
        """Note it."""
        self.note("validated")

    def on_train_epoch_end(self, *_: Any) -> None:  # noqa: ANN401 - as above
        """Note it, and write what is known."""
        self.note("epoch end")
        self.place.write_text(json.dumps({"moments": self.moments, "idle": self.idle}), encoding="utf-8")


def main() -> int:
    """Measure every run and print its table."""
    options = read_options()
    preload()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["DEPTH_NET_CACHE"] = str(options.cache or place / "cache")
        spec = write_spec(place, options)
        for number, run in enumerate(options.runs):
            status |= measure(place, spec, options, (number, run.split()))
    return status


def write_spec(place: Path, options: argparse.Namespace) -> Path:
    """Write the files, lists of them and the spec; return the latter."""
    count = SMOKE_FILES if options.smoke else FILES
    listed = write_apart(options.files, count).read_text(encoding="utf-8").splitlines()
    lists = {
        "train": [listed[index % len(listed)] for index in range(options.images)],
        "val": listed[: options.validated],
    }
    split: dict[str, Any] = {}
    for name, lines in lists.items():
        (place / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        split[f"{name}_dataset"] = {
            "data_sources": [{"dataset_name": "NYUDV2", "data_file": str(place / f"{name}.txt")}],
            "batch_size": options.batch if name == "train" else 1,
            "workers": options.workers,
            "augmentation": {"crop_size": [options.size, options.size]},
        }
    document = {
        "model": {"model_type": "MetricDepthAnything", "encoder": options.encoder},
        "dataset": {"max_depth": 10.0, **split},
        "train": {"num_epochs": options.epochs, "panels": False, "compile": options.compile},
    }
    (place / "spec.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return place / "spec.yaml"


def measure(place: Path, spec: Path, options: argparse.Namespace, run: tuple[int, list[str]]) -> int:
    """Train side by side what belongs to one run; print what each has measured."""
    number, names = run
    processes = {}
    for index, name in enumerate(names):
        kind, _, devices = name.partition("@")
        results = place / f"{number}-{index}"
        count = devices.count(",") + 1
        settings = [f"results_dir={results}", f"train.num_gpus={count}", *options.set]
        if kind == "decoded":
            settings += [f"dataset.{split}_dataset.disk_cache_mb=0" for split in ("train", "val")]
        batch = options.batch * count
        processes[fork(spec, settings, results, devices)] = (name, results, options.images // batch * batch)
    status = 0
    for process, (name, results, images) in processes.items():
        status |= os.waitpid(process, 0)[1]
        report(f"{number + 1}. {name}", results, images)
    return status


def fork(spec: Path, settings: list[str], results: Path, devices: str) -> int:
    """Start one training in a process of its own, which starts those of further GPUs; return its id."""
    started = time.monotonic()
    process = os.fork()
    if process:
        return process
    results.mkdir(parents=True)
    log = os.open(results / "log", os.O_WRONLY | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    # Lightning starts the processes of further GPUs with the command of this one.
    sys.argv = ["depth_net", "train", "-e", str(spec), *settings]
    sys.modules["__main__"].__spec__ = importlib.util.find_spec("depth_net.__main__")
    import logging  # noqa: PLC0415 - of this process alone

    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(message)s", force=True)
    timeline = Timeline(results / "timeline.json", started)
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    watch(timeline)
    os._exit(execute(Request(action="train", spec=spec, overrides=tuple(settings))))


def watch(timeline: Timeline) -> None:
    """Let a timeline hear of a training's stages."""
    for name in ("run", "_start_loading", "build_model", "_build_task", "_fit"):
        setattr(train, name, noted(getattr(train, name), name.strip("_"), timeline))
    callbacks = train._callbacks  # noqa: SLF001 - the only way in
    train._callbacks = lambda run: [*callbacks(run), timeline]  # noqa: SLF001 - as above


def noted(function: Any, name: str, timeline: Timeline) -> Any:  # noqa: ANN401 - any function
    """Return a function that notes when it begins."""

    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        timeline.note(name)
        return function(*args, **kwargs)

    return call


def report(name: str, results: Path, images: int) -> None:
    """Print stages and epochs of one training."""
    place = results / "timeline.json"
    if not place.is_file():
        print(f"{name}: failed\n{(results / 'log').read_text(encoding='utf-8')[-9000:]}", flush=True)
        return
    found = json.loads(place.read_text(encoding="utf-8"))
    first = next(index for index, (what, _) in enumerate(found["moments"]) if what == "trained")
    stages = [f"{what} {at:.3f}" for what, at in found["moments"][:first]]
    log = (results / "log").read_text(encoding="utf-8")
    decided = re.findall(r"(?:decoded samples|the model is|the training step|no more|loading processes).*", log)
    print(f"{name}: {'; '.join(decided)}\n  seconds since the fork: {', '.join(stages)}", flush=True)
    epoch: dict[str, float] = {}
    number = 0
    for what, at in found["moments"]:
        epoch[what] = at
        if what == "epoch end":
            begin, trained, idle = epoch["epoch"], epoch["trained"], found["idle"][number]
            waited = "" if idle is None else f"  device idle {100 * idle:.1f} %"
            print(
                f"  epoch {number + 1}: training {images / (trained - begin):.1f} images/s{waited}  validation "
                f"{epoch['validated'] - epoch['validation']:.2f} s  rest {at - epoch['validated']:.2f} s  "
                f"whole {images / (at - begin):.1f} images/s",
                flush=True,
            )
            number += 1


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", default=["decoded", "kept", "kept"])
    parser.add_argument("--encoder", default="vits")
    parser.add_argument("--size", type=int, default=252)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--validated", type=int, default=16, help="images of a validation, up to the files written")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--compile", default="off")
    parser.add_argument("--set", nargs="+", default=[], help="further settings of the spec")
    parser.add_argument("--files", type=Path, default=Path(tempfile.gettempdir()) / "depth_net_benchmark")
    parser.add_argument("--cache", type=Path, help="folder for decoded samples [a temporary one]")
    parser.add_argument("--smoke", action="store_true", help="tiny model, few images")
    options = parser.parse_args()
    if options.smoke:
        options.encoder, options.size, options.batch, options.images, options.epochs = "vit_tiny", 70, 8, 72, 2
        options.validated, options.workers, options.files = 8, 2, options.files.with_name("depth_net_smoke")
    return options


if __name__ == "__main__":
    sys.exit(main())
