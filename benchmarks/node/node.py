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
from benchmarks.node.measure import images_per_s, slot_use

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


FULL = Scale(encoder="vits", crop=252, repeats=24, epochs=4, short_epochs=40, batch=16)
SMOKE = Scale(encoder="vit_tiny", crop=70, repeats=1, epochs=2, short_epochs=2, batch=8)


@dataclass(slots=True)
class Bench:
    """The studies of this benchmark and their outcomes."""

    gpus: int
    scale: Scale
    folder: Path
    images: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def study(self, name: str, *, jobs: int, gpus: int, trials: int, extra: list[str]) -> dict[str, Any]:
        """Run one study and return its JSON result."""
        batch = f"dataset.train_dataset.batch_size={self.scale.batch}"
        sizes = [
            f"dataset.{split}_dataset.augmentation.crop_size=[{self.scale.crop}, {self.scale.crop}]"
            for split in ("train", "val")
        ]
        settings = [f"model.encoder={self.scale.encoder}", batch, "train.compile=off", *sizes]
        command = [
            *(sys.executable, "-m", "automl.cli.app", "run", "--skill", "depth_net_mono", "--json", "--yes"),
            *("--results", str(self.folder / name), "--jobs", str(jobs), "--gpus-per-trial", str(gpus)),
            *("--trials", str(trials), "--sampler", "random", "--scheduler", "none"),
            *(f"--data={split}={self.folder / f'{split}.txt'}" for split in ("train", "val")),
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
        extra = ["--search=train.optim.weight_decay", f"--set=train.num_epochs={self.scale.epochs}"]
        result = self.study(name, jobs=jobs, gpus=gpus, trials=jobs, extra=extra)
        folders = [Path(result["study_dir"]) / trial["directory"] for trial in result["trials"]]
        return sum(images_per_s(folder, self.images) for folder in folders)

    def note(self, what: str, value: str, wanted: str, *, holds: bool) -> None:
        """Add one line of the table."""
        self.rows.append({"what": what, "measured": value, "wanted": wanted, "holds": holds})


def main() -> int:
    """Run the four measurements, print the table, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/node"))
    parser.add_argument("--gpus", type=int, help="GPUs to use [all]")
    parser.add_argument("--smoke", action="store_true", help="logical GPUs, a tiny model, no judgement of speed")
    options = parser.parse_args()
    gpus = options.gpus or len(gpu_names())
    if gpus < 1:
        parser.error("no GPU here; --smoke --gpus 2 shows that it runs at all")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(gpus=gpus, scale=SMOKE if options.smoke else FULL, folder=Path(folder))
        bench.images = make_data(bench)
        measure(bench, judges_speed=not options.smoke)
    document = {"machine": describe_machine(gpus), "command": "benchmarks/node/run.sh", "rows": bench.rows}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "node.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    lines = [
        f"{'ok  ' if row['holds'] else 'FAIL'}  {row['what']:<52} {row['measured']:<34} {row['wanted']}"
        for row in bench.rows
    ]
    (options.out / "node.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0 if all(row["holds"] for row in bench.rows) else 1


def measure(bench: Bench, *, judges_speed: bool) -> None:
    """Measure (a) to (d)."""
    gpus = bench.gpus
    alone = bench.throughput("alone", jobs=1, gpus=1)
    bench.note("one trial on one GPU", f"{alone:.1f} images/s", "", holds=True)
    if gpus > 1:
        side_by_side = bench.throughput("parallel", jobs=gpus, gpus=1)
        ratio = side_by_side / alone
        holds = not judges_speed or ratio >= PARALLEL_FLOOR * gpus
        bench.note(
            f"(a) {gpus} trials side by side",
            f"{side_by_side:.1f} images/s, {ratio:.2f}x",
            f">= {PARALLEL_FLOOR * gpus:.2f}x",
            holds=holds,
        )
        pairs(bench)
        together = bench.throughput("ddp", jobs=1, gpus=gpus)
        ratio = together / alone
        holds = not judges_speed or ratio >= SCALING_FLOOR * gpus
        bench.note(
            f"(c) one {gpus}-GPU trial",
            f"{together:.1f} images/s, {ratio:.2f}x",
            f">= {SCALING_FLOOR * gpus:.2f}x",
            holds=holds,
        )
    crowd(bench, judges_speed=judges_speed)


def pairs(bench: Bench) -> None:
    """Run N/2 two-GPU trials at once and watch which devices each uses."""
    jobs = max(1, bench.gpus // 2)
    with DeviceWatch() as watch:
        speed = bench.throughput("pairs", jobs=jobs, gpus=2)
    holds = watch.are_disjoint
    bench.note(f"(b) {jobs} two-GPU trials side by side", f"{speed:.1f} images/s", "all end well", holds=True)
    bench.note("(b) devices of the trials", watch.description, "disjoint", holds=holds)


def crowd(bench: Bench, *, judges_speed: bool) -> None:
    """Run 4N short trials, some of which diverge."""
    gpus = bench.gpus
    extra = [
        "--search=train.optim.lr=1e-5..1e-2:log",
        "--set=train.optim.head_lr_multiplier=30",
        "--set=train.clip_grad_norm=0",
        f"--set=train.num_epochs={bench.scale.short_epochs}",
        "--set=train.validation_interval=1",
        f"--data=train={bench.folder / 'short.txt'}",
    ]
    result = bench.study("crowd", jobs=gpus, gpus=1, trials=4 * gpus, extra=extra)
    states = [trial["state"] for trial in result["trials"]]
    use = slot_use(Path(result["study_dir"]) / "events.jsonl", gpus)
    counted = ", ".join(f"{states.count(state)} {state.lower()}" for state in sorted(set(states)))
    bench.note(f"(d) {4 * gpus} short trials", counted, "some diverge", holds=not judges_speed or "DIVERGED" in states)
    idle = f"{100 * use.idle_fraction:.2f} %, longest gap {use.longest_gap_s:.2f} s"
    bench.note(
        "(d) slots idle",
        idle,
        f"< {100 * IDLE_CEILING:.0f} %",
        holds=not judges_speed or use.idle_fraction < IDLE_CEILING,
    )
    left = leftovers()
    bench.note("(d) left after the end", ", ".join(left) or "nothing", "nothing", holds=not left)


def make_data(bench: Bench) -> int:
    """Write demo data and annotation files that repeat them; return the images of one epoch."""
    rooms = bench.folder / "demo"
    subprocess.run([sys.executable, "-m", "depth_net", "demo-data", str(rooms)], check=True, stdout=sys.stderr)
    train = (rooms / "rooms" / "train.txt").read_text(encoding="utf-8")
    (bench.folder / "train.txt").write_text(train * bench.scale.repeats * max(1, bench.gpus // 2), encoding="utf-8")
    (bench.folder / "short.txt").write_text(train * min(bench.scale.repeats, 2), encoding="utf-8")
    (bench.folder / "val.txt").write_text((rooms / "rooms" / "val.txt").read_text(encoding="utf-8"), encoding="utf-8")
    return len((bench.folder / "train.txt").read_text(encoding="utf-8").splitlines())


def leftovers() -> list[str]:
    """Return processes of ours that still live, and GPU memory that is still held, some seconds after the end."""
    time.sleep(3)
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    ours = [
        line.strip()[:80]
        for line in listed.splitlines()
        if "depth_net" in line and "benchmarks" not in line and " ps " not in line
    ]
    return [*ours, *(f"GPU process {pid}" for pid in DeviceWatch.gpu_processes())]


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
