"""A whole node under one study, measured four ways. Start it with `benchmarks/node/run.sh`.

(a) N one-GPU trials side by side against one alone: at least 0.95 N times its throughput.
(b) N/2 two-GPU DDP trials beside each other: devices disjoint, no clash of ports.
(c) One N-GPU DDP trial: at least 0.9 N times the throughput of one GPU.
(d) A study of 4N short trials, some of which diverge: slots idle under 3 % of the time, nothing left after the end.

Everything goes through the `automl` command line. `--smoke` runs the same steps with a tiny model on logical GPUs and
judges only what does not depend on speed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.node.devices import DeviceWatch
from benchmarks.node.logical import offer_logical_gpus
from benchmarks.node.measure import images_per_s, slot_use

LONG, SHORT = "train_long.txt", "train_short.txt"
_MARK = "AUTOML_NODE_BENCHMARK"  # inherited by everything that is started here
PARALLEL_FLOOR, SCALING_FLOOR, IDLE_CEILING = 0.95, 0.9, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is trained."""

    encoder: str
    crop: int
    repeats: int
    epochs: int
    short_epochs: int
    batch: int


FULL = Scale(encoder="vits", crop=252, repeats=24, epochs=4, short_epochs=12, batch=16)
SMOKE = Scale(encoder="vit_tiny", crop=70, repeats=1, epochs=2, short_epochs=2, batch=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many trials run, how many at once, and the GPUs of each."""

    jobs: int
    gpus: float
    trials: int


@dataclass(slots=True)
class Bench:
    """The studies of this benchmark and their outcomes."""

    gpus: int
    scale: Scale
    folder: Path
    out: Path
    name: str = "node"
    command: str = "benchmarks/node/run.sh"
    judges_speed: bool = True
    images: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def study(self, name: str, shape: Shape, *, extra: list[str], data: str = LONG) -> dict[str, Any]:
        """Run one study and return its JSON result."""
        batch = f"dataset.train_dataset.batch_size={self.scale.batch}"
        sizes = [
            f"dataset.{split}_dataset.augmentation.crop_size=[{self.scale.crop}, {self.scale.crop}]"
            for split in ("train", "val")
        ]
        settings = [f"model.encoder={self.scale.encoder}", batch, "train.compile=off", *sizes]
        command = [
            *(sys.executable, "-m", "automl.cli.app", "run", "--skill", "depth_net_mono", "--json", "--yes"),
            *("--results", str(self.folder / name), "--jobs", str(shape.jobs), "--gpus-per-trial", str(shape.gpus)),
            *("--trials", str(shape.trials), "--sampler", "random", "--scheduler", "none"),
            *(
                "--data",
                f"train={self.folder / 'demo/rooms' / data}",
                "--data",
                f"val={self.folder}/demo/rooms/val.txt",
            ),
            *(f"--set={setting}" for setting in settings),
            *extra,
        ]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"# {name}: {time.monotonic() - began:.0f} s, status {done.returncode}", file=sys.stderr, flush=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-4000:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def throughput(self, name: str, *, jobs: int, gpus: int) -> float:
        """Return the images per second of all trials of a study of equal trials."""
        extra = [
            "--search=train.optim.weight_decay",
            f"--set=train.num_epochs={self.scale.epochs}",
            # Both take the same time whatever is compared: only in the last epoch, which the median leaves out.
            f"--set=train.validation_interval={self.scale.epochs}",
            f"--set=train.checkpoint_interval={self.scale.epochs}",
        ]
        result = self.study(name, Shape(jobs=jobs, gpus=gpus, trials=jobs), extra=extra)
        folders = [Path(result["study_dir"]) / trial["directory"] for trial in result["trials"]]
        return sum(images_per_s(folder, self.images) for folder in folders)

    def note(self, what: str, value: str, wanted: str, *, holds: bool) -> None:
        """Add one line of the table."""
        self.rows.append({"what": what, "measured": value, "wanted": wanted, "holds": holds})
        print(f"# {what}: {value}", file=sys.stderr, flush=True)
        # After every line: a run that is cut off keeps what it has measured.
        document = {"machine": describe_machine(self.gpus), "command": self.command, "rows": self.rows}
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / f"{self.name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        (self.out / f"{self.name}.txt").write_text(self.table() + "\n", encoding="utf-8")

    def table(self) -> str:
        """Return the lines so far, aligned."""
        return "\n".join(
            f"{'ok  ' if row['holds'] else 'FAIL'}  {row['what']:<52} {row['measured']:<34} {row['wanted']}"
            for row in self.rows
        )


def main() -> int:
    """Run the four measurements, print the table, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/node"))
    parser.add_argument("--gpus", type=int, help="GPUs to use [all]")
    parser.add_argument("--parts", default="abcd", help="which of (a) to (d) to measure")
    parser.add_argument("--smoke", action="store_true", help="logical GPUs, a tiny model, no judgement of speed")
    options = parser.parse_args()
    gpus = options.gpus or (2 if options.smoke else len(gpu_names()))
    if gpus < 1:
        parser.error("no GPU here; --smoke shows on logical ones that it runs at all")
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_MARK] = folder
        if options.smoke:
            offer_logical_gpus(gpus, Path(folder))
        scale = SMOKE if options.smoke else FULL
        bench = Bench(gpus=gpus, scale=scale, folder=Path(folder), out=options.out, judges_speed=not options.smoke)
        bench.images = make_data(bench)
        measure(bench, options.parts)
    print(bench.table())
    return 0 if all(row["holds"] for row in bench.rows) else 1


def measure(bench: Bench, parts: str) -> None:
    """Measure (a) to (d), or some of them."""
    gpus = bench.gpus
    if gpus > 1 and {"a", "c"} & set(parts):
        alone = bench.throughput("alone", jobs=1, gpus=1)
        bench.note("one trial on one GPU", f"{alone:.1f} images/s", "", holds=True)
        shapes = {
            "a": ("trials side by side", gpus, 1, PARALLEL_FLOOR),
            "c": ("GPUs in one trial", 1, gpus, SCALING_FLOOR),
        }
        for part in sorted({"a", "c"} & set(parts)):
            what, jobs, each, floor = shapes[part]
            together = bench.throughput(part, jobs=jobs, gpus=each)
            ratio = together / alone
            holds = not bench.judges_speed or ratio >= floor * gpus
            measured = f"{together:.1f} images/s, {ratio:.2f}x"
            bench.note(f"({part}) {gpus} {what}", measured, f">= {floor * gpus:.2f}x", holds=holds)
    if gpus > 1 and "b" in parts:
        pairs(bench)
    if "d" in parts:
        crowd(bench)


def pairs(bench: Bench) -> None:
    """Run N/2 two-GPU trials at once and watch which devices each uses."""
    jobs = max(1, bench.gpus // 2)
    with DeviceWatch() as watch:
        speed = bench.throughput("pairs", jobs=jobs, gpus=2)
    holds = watch.are_disjoint
    bench.note(f"(b) {jobs} two-GPU trials side by side", f"{speed:.1f} images/s", "all end well", holds=True)
    bench.note("(b) devices of the trials", watch.description, "disjoint", holds=holds)


def crowd(bench: Bench) -> None:
    """Run 4N short trials, some of which diverge."""
    gpus = bench.gpus
    extra = [
        "--search=train.optim.lr=1e-5..1e-2:log",
        "--set=train.optim.head_lr_multiplier=30",
        "--set=train.clip_grad_norm=0",
        f"--set=train.num_epochs={bench.scale.short_epochs}",
        "--set=train.validation_interval=1",
    ]
    result = bench.study("crowd", Shape(jobs=gpus, gpus=1, trials=4 * gpus), extra=extra, data=SHORT)
    states = [trial["state"] for trial in result["trials"]]
    use = slot_use(Path(result["study_dir"]) / "events.jsonl", gpus)
    counted = ", ".join(f"{states.count(state)} {state.lower()}" for state in sorted(set(states)))
    bench.note(
        f"(d) {4 * gpus} short trials", counted, "some diverge", holds=not bench.judges_speed or "DIVERGED" in states
    )
    idle = f"{100 * use.idle_fraction:.2f} %, longest gap {use.longest_gap_s:.2f} s"
    bench.note(
        "(d) slots idle",
        idle,
        f"< {100 * IDLE_CEILING:.0f} %",
        holds=not bench.judges_speed or use.idle_fraction < IDLE_CEILING,
    )
    left = leftovers()
    bench.note("(d) left after the end", ", ".join(left) or "nothing", "nothing", holds=not left)


def make_data(bench: Bench) -> int:
    """Write demo data and annotation files that repeat them; return the images of one epoch."""
    rooms = bench.folder / "demo"
    subprocess.run([sys.executable, "-m", "depth_net", "demo-data", str(rooms)], check=True, stdout=sys.stderr)
    lists = rooms / "rooms"
    train = (lists / "train.txt").read_text(encoding="utf-8")
    # Beside the originals: their paths are relative to the file that names them.
    (lists / LONG).write_text(train * bench.scale.repeats * max(1, bench.gpus // 2), encoding="utf-8")
    (lists / SHORT).write_text(train * min(bench.scale.repeats, 2), encoding="utf-8")
    return len((lists / LONG).read_text(encoding="utf-8").splitlines())


def leftovers() -> list[str]:
    """Return processes of ours that still live, and GPU memory that is still held, some seconds after the end."""
    time.sleep(3)
    mark = f"{_MARK}={os.environ[_MARK]}".encode()
    alive = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended, or belongs to somebody else
            if mark in (process / "environ").read_bytes():
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                alive.append(f"{process.name} {words[:80].decode(errors='replace')}")
    return [*alive, *(f"GPU process {pid}" for pid in DeviceWatch.gpu_processes())]


def gpu_names() -> list[str]:
    """Return the names of the GPUs of this host."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return listed.stdout.split("\n")[:-1]


def describe_machine(gpus: int) -> dict[str, Any]:
    """Return what the figures were measured on."""
    from importlib.metadata import version  # noqa: PLC0415 - only for the record

    packages = {name: version(name) for name in ("torch", "ray", "optuna")}
    names = gpu_names()
    return {
        "gpus": f"{gpus} x {names[0] if names else 'logical'}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **packages,
    }


if __name__ == "__main__":
    sys.exit(main())
