"""A whole node under one study, measured four ways. Start it with `benchmarks/node/run.sh`.

(a) N one-GPU trials side by side against one alone: at least 0.95 N times its throughput.
(b) N/2 two-GPU DDP trials beside each other: devices disjoint, no clash of ports.
(c) One N-GPU DDP trial: at least 0.9 N times the throughput of one GPU.
(d) A study of 4N short trials, some of which diverge: slots idle under 3 % of the time, nothing left after the end.

Everything goes through the `automl` command line. `--smoke` runs the same steps with a tiny model on logical GPUs and
checks only what does not depend on speed. One GPU can show (d) alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.node.devices import DeviceWatch, describe_granted, gpu_processes
from benchmarks.node.logical import offer_logical_gpus
from benchmarks.node.measure import images_per_s, ran_together, slot_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LONG, SHORT = "train_long.txt", "train_short.txt"
# Inherited by everything that is started here. Not AUTOML_...: such variables are kept from trials.
MARK = "NODE_BENCHMARK"
PARALLEL_FLOOR, SCALING_FLOOR, IDLE_CEILING, LIMIT_S = 0.95, 0.9, 0.03, 600
_GRACE_S = 3.0
"""What has ended is given so long to be gone."""


class MeasurementError(Exception):
    """A part could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is trained."""

    encoder: str
    crop: int
    repeats: int
    epochs: int
    short_epochs: int
    batch: int


FULL = Scale(encoder="vits", crop=252, repeats=48, epochs=4, short_epochs=12, batch=16)
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
    checks_speed: bool = True
    images: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

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
            print(f"{shlex.join(command)}\n{done.stderr[-4000:]}", file=sys.stderr, flush=True)
            raise MeasurementError(f"the study {name} ended with status {done.returncode}")
        result: dict[str, Any] = json.loads(done.stdout)
        self.results[name] = result
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

    def note(self, what: str, value: str, wanted: str, *, holds: bool | None) -> None:
        """Add one line of the table; ``holds`` is None for what is not checked."""
        self.rows.append({"what": what, "measured": value, "wanted": wanted, "holds": holds})
        print(f"# {what}: {value}", file=sys.stderr, flush=True)
        # After every line: a run that is cut off keeps what it has measured.
        document = {
            "machine": describe_machine(self.gpus),
            "command": self.command,
            "holds": self.holds,
            "rows": self.rows,
        }
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / f"{self.name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        (self.out / f"{self.name}.txt").write_text(self.table() + "\n", encoding="utf-8")

    @property
    def holds(self) -> bool:
        """Whether something was checked and all of it holds."""
        checked = [row["holds"] for row in self.rows if row["holds"] is not None]
        return bool(checked) and all(checked)

    def if_fast(self, *, holds: bool) -> bool | None:
        """Return the judgement of something that depends on speed: none on logical GPUs."""
        return holds if self.checks_speed else None

    def table(self) -> str:
        """Return the lines so far, aligned."""
        words = {True: "ok", False: "FAIL", None: "-"}
        cells = [(words[row["holds"]], row["what"], row["measured"], row["wanted"]) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
        return "\n".join(line.rstrip() for line in lines)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ends with status 2 where there is nothing to measure."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/node/run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "out", nargs="?", type=Path, default=Path(__file__).parent, help="gets node.json, node.txt [%(default)s]"
    )
    parser.add_argument("--gpus", type=int, help="GPUs to use [all; with --smoke 2]")
    parser.add_argument("--parts", default="abcd", help="which of (a) to (d) to measure [%(default)s]")
    parser.add_argument("--smoke", action="store_true", help="logical GPUs, a tiny model, no judgement of speed")
    options = parser.parse_args(words)
    there = len(gpu_names())
    if options.gpus is None:
        options.gpus = 2 if options.smoke else there
        if there == 0 and not options.smoke:
            parser.error("no GPU here; --smoke shows on logical ones that it runs at all")
    if options.gpus < 1 or (not options.smoke and options.gpus > there):
        limit = "" if options.smoke else f" to {there}, the GPUs of this machine"
        parser.error(f"--gpus {options.gpus}: expected a number from 1{limit}")
    if not options.parts or not set(options.parts) <= set("abcd"):
        parser.error(f"--parts {options.parts!r}: expected some of the letters a, b, c, d")
    if options.gpus == 1 and "d" not in options.parts:
        parser.error(f"--parts {options.parts}: (a) to (c) need two GPUs")
    return options


def main(words: Sequence[str] = sys.argv[1:]) -> int:
    """Run the four measurements, print the table, write it as JSON; return 1 if something does not hold."""
    options, began = read_options(words), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[MARK] = folder
        if options.smoke:
            offer_logical_gpus(options.gpus, Path(folder))
        bench = Bench(
            gpus=options.gpus,
            scale=SMOKE if options.smoke else FULL,
            folder=Path(folder),
            out=options.out,
            command=shlex.join(["benchmarks/node/run.sh", *words]),
            checks_speed=not options.smoke,
        )
        bench.images = make_data(bench)
        measure(bench, options.parts)
    took_s = time.monotonic() - began
    bench.note("the whole run", f"{took_s:.0f} s", f"<= {LIMIT_S} s", holds=bench.if_fast(holds=took_s <= LIMIT_S))
    print(bench.table())
    return 0 if bench.holds else 1


def measure(bench: Bench, parts: str) -> None:
    """Measure (a) to (d), or some of them. A part that cannot be measured does not hold; the others are measured."""
    compared = [part for part in "ac" if part in parts]
    steps: dict[str, Callable[[Bench], None]] = {"b": pairs, "d": crowd}
    if bench.gpus == 1:
        for part in (*compared, *("b" if "b" in parts else "")):
            bench.note(f"({part})", "not measured", "two GPUs", holds=None)
        compared, steps = [], {"d": crowd}
    if compared:
        against_one(bench, compared)
    for part, step in steps.items():
        if part in parts:
            with noted(bench, part):
                step(bench)


@contextlib.contextmanager
def noted(bench: Bench, part: str) -> Iterator[None]:
    """Note a part that could not be measured."""
    try:
        yield
    except (MeasurementError, ValueError) as error:
        bench.note(f"({part})", f"failed: {error}", "", holds=False)


def against_one(bench: Bench, parts: Sequence[str]) -> None:
    """Compare the throughput of all GPUs with that of one, which is measured before and after: hosts drift."""
    every = bench.gpus
    shapes = {"a": Shape(jobs=every, gpus=1, trials=every), "c": Shape(jobs=1, gpus=every, trials=1)}
    names = {"a": f"(a) {every} trials side by side", "c": f"(c) {every} GPUs in one trial"}
    floors = {"a": PARALLEL_FLOOR, "c": SCALING_FLOOR}
    together: dict[str, float] = {}
    with noted(bench, "alone"):
        alone = [bench.throughput("alone", jobs=1, gpus=1)]
        for part in parts:
            with noted(bench, part):
                together[part] = bench.throughput(part, jobs=shapes[part].jobs, gpus=int(shapes[part].gpus))
        alone.append(bench.throughput("alone again", jobs=1, gpus=1))
        shown = " and ".join(f"{speed:.1f}" for speed in alone)
        bench.note("one trial on one GPU, before and after", f"{shown} images/s", "", holds=None)
        for part, speed in together.items():
            ratio, wanted = speed / statistics.mean(alone), floors[part] * every
            measured = f"{speed:.1f} images/s, {ratio:.2f}x"
            bench.note(names[part], measured, f">= {wanted:.2f}x", holds=bench.if_fast(holds=ratio >= wanted))
            if part == "a":
                note_course(bench, part)


def pairs(bench: Bench) -> None:
    """Run N/2 two-GPU trials at once and watch which devices each uses."""
    jobs = bench.gpus // 2
    with DeviceWatch() as watch:
        speed = bench.throughput("b", jobs=jobs, gpus=2)
    bench.note(f"(b) {jobs} two-GPU trial{'s' * (jobs > 1)}", f"{speed:.1f} images/s", "", holds=None)
    note_course(bench, "b")
    granted = [tuple(trial.get("gpus", ())) for trial in bench.results["b"]["trials"]]
    given = [device for devices in granted for device in devices]
    are_disjoint = len(set(given)) == len(given) == 2 * jobs and watch.are_disjoint
    bench.note("(b) devices", f"{describe_granted(granted)}; {watch.description}", "disjoint", holds=are_disjoint)


def note_course(bench: Bench, name: str) -> None:
    """Note whether all trials of a study ended well, and whether they ran at one time."""
    result = bench.results[name]
    counted = count_states(result)
    is_together = ran_together(Path(result["study_dir"]) / "events.jsonl")
    course = f"{counted}, {'all at once' if is_together else 'not all at once'}"
    holds = is_together and all(trial["state"] == "COMPLETED" for trial in result["trials"])
    bench.note(f"({name}) trials", course, "all end well, at once", holds=holds)


def count_states(result: dict[str, Any]) -> str:
    """Return how many trials ended in which state, in words."""
    states = [trial["state"] for trial in result["trials"]]
    return ", ".join(f"{states.count(state)} {state.lower()}" for state in sorted(set(states)))


def crowd(bench: Bench) -> None:
    """Run 4N short trials, some of which diverge."""
    gpus, foreign = bench.gpus, {pid for pid, _ in gpu_processes()}
    extra = [
        # The upper rates end in NaN within a few steps, the lower ones do not. `+` passes on what the schema refuses.
        "--search=train.optim.lr=1e-6..1e-2:log",
        "--set=+train.optim.head_lr_multiplier=2e4",
        "--set=train.clip_grad_norm=0",
        f"--set=train.num_epochs={bench.scale.short_epochs}",
        "--set=train.validation_interval=1",
    ]
    result = bench.study("crowd", Shape(jobs=gpus, gpus=1, trials=4 * gpus), extra=extra, data=SHORT)
    states = {trial["state"] for trial in result["trials"]}
    use = slot_use(Path(result["study_dir"]) / "events.jsonl", gpus)
    bench.note(
        f"(d) {4 * gpus} short trials",
        count_states(result),
        "some diverge, none fails",
        holds=len(result["trials"]) == 4 * gpus and states == {"COMPLETED", "DIVERGED"},
    )
    idle = f"{100 * use.idle_fraction:.2f} %, longest gap {use.longest_gap_s:.2f} s"
    bench.note(
        "(d) slots idle",
        idle,
        f"< {100 * IDLE_CEILING:.0f} %",
        holds=bench.if_fast(holds=use.idle_fraction < IDLE_CEILING),
    )
    left = leftovers(foreign, _GRACE_S)
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


def leftovers(foreign: set[str], grace_s: float) -> list[str]:
    """Return processes of ours that still live, and processes that hold GPU memory, some seconds after the end.

    Args:
        foreign: Ids of processes that held GPU memory before.
        grace_s: How long to wait for the last to go.
    """
    time.sleep(grace_s)
    mark = f"{MARK}={os.environ[MARK]}".encode()
    alive = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended, or belongs to somebody else
            if mark in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                alive.append(f"{process.name} {words[:80].decode(errors='replace').strip()}")
    return [*alive, *(f"GPU process {pid}" for pid, _ in gpu_processes() if pid not in foreign)]


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
