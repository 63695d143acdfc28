"""What a trial costs beside its training, and how long a diverged one lives: side by side with raw peers.

    python -m benchmarks.orchestration.overhead [--trials 24] [--kills 8]

Overhead: trials that end at once, two slots; wall seconds between the first and the last start, divided by their
number less one. Kills: one slot; every second trial reports NaN and has a child in a session of its own, both deaf to
SIGTERM. Measured from the moment before the NaN is written until the last of the two processes has died, and until the
next trial's first line runs. Survivors are processes that still live when the study has ended; they are killed then.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import signal
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from automl.launch.processes import read_processes, send_signal
from benchmarks.orchestration.methods import METHODS, TRAINER, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SETTLE_S = 1.0


def make_tasks(root: Path, behaviours: Sequence[str]) -> list[Task]:
    """Return tasks whose folders are laid out like a study's; a method of ours makes them itself."""
    return [Task(root / "trials" / f"{number:04d}", behaviour) for number, behaviour in enumerate(behaviours)]


def read_time(file: Path) -> float:
    """Return a time that a trainer wrote."""
    return float(file.read_text(encoding="ascii"))


def end_survivors() -> int:
    """Kill every trainer that still lives and return how many there were."""
    survivors = [p for p in read_processes().values() if p.pid != os.getpid() and str(TRAINER) in command_line(p.pid)]
    for process in survivors:
        send_signal(process, signal.SIGKILL)
    return len(survivors)


def command_line(pid: int) -> str:
    """Return a process's command line; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def run(
    method: Callable[[Sequence[Task], int], None], behaviours: Sequence[str], jobs: int, *, makes_folders: bool
) -> tuple[list[Task], int]:
    """Run a method; return its tasks and the number of survivors."""
    tasks = make_tasks(Path(tempfile.mkdtemp(prefix="bench-")), behaviours)
    for task in tasks:
        (task.folder.parent if makes_folders else task.folder).mkdir(parents=True, exist_ok=True)
    method(tasks, jobs)
    time.sleep(SETTLE_S)
    return tasks, end_survivors()


def overhead_s(tasks: Sequence[Task]) -> float:
    """Return the wall seconds per trial."""
    starts = sorted(read_time(task.folder / "started") for task in tasks)
    return (starts[-1] - starts[0]) / (len(starts) - 1)


def kill_latencies_s(tasks: Sequence[Task]) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds from each divergence to the trainer's death, its child's death and the next trial's start."""
    trainer, child, reused = [], [], []
    for task, following in itertools.pairwise(tasks):
        if task.behaviour == "diverges":
            diverged_s = read_time(task.folder / "diverged")
            trainer.append((task.folder / "parent_lives").stat().st_mtime - diverged_s)
            child.append((task.folder / "child_lives").stat().st_mtime - diverged_s)
            reused.append(read_time(following.folder / "started") - diverged_s)
    return trainer, child, reused


def summary(latencies_s: Sequence[float]) -> str:
    """Return median and worst."""
    return f"{statistics.median(latencies_s):.2f} (worst {max(latencies_s):.2f})"


def main() -> None:
    """Run every method and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--only", default="", help="methods whose name contains this")
    arguments = parser.parse_args()
    versions = ", ".join(f"{name} {version(name)}" for name in ("ray", "optuna"))
    print(f"Python {platform.python_version()}, {versions}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    kills = "trainer dead, s | its child dead, s | slot reused, s | survivors"
    print(f"| method | wall s per trial, 2 slots | {kills} | load |")
    print("|---|---|---|---|---|---|---|")
    for name, method in METHODS.items():
        if arguments.only not in name:
            continue
        is_ours = name.startswith("automl")
        tasks, _ = run(method, ["ends"] * arguments.trials, 2, makes_folders=is_ours)
        cost_s = overhead_s(tasks)
        pairs = ["diverges", "ends"] * arguments.kills
        tasks, survivors = run(method, pairs, 1, makes_folders=is_ours)
        trainer, child, reused = kill_latencies_s(tasks)
        grandchild = "never" if survivors else summary(child)
        print(
            f"| {name} | {cost_s:.3f} | {summary(trainer)} | {grandchild} | {summary(reused)} | {survivors} |"
            f" {os.getloadavg()[0]:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
