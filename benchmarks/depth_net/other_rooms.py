"""What three earlier studies on other rooms are worth to a search of the demo's model: `automl run`, as a user has it.

``python -m benchmarks.depth_net.other_rooms FOLDER``: renders four sets of rooms that differ in their seed, their light
and their scale; searches three of them for 16 trials each; then searches the fourth with each of five seeds twice:
without earlier studies, and with ``--studies`` naming the three. What has been measured is kept in FOLDER, so that a
second call goes on, and ``--report`` prints the table alone. The data and the training are smaller than the demo's: 48
images, 16 to validate, six epochs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from statistics import mean, median, stdev
from typing import TYPE_CHECKING

import cv2
import numpy as np

from automl.storage.study_directory import read_study
from depth_net.data.rooms import make_scene, place_camera, render

if TYPE_CHECKING:
    from collections.abc import Sequence

TRIALS = 16
SHOWN = (2, 3, 5, 8, 12, 16)
_IMAGES = {"train": 48, "val": 16}
_VIEWS = 2


@dataclass(frozen=True)
class Rooms:
    """One set of rooms.

    Attributes:
        name: Of its folder.
        seed: Of the rooms.
        light: Factor on red, green and blue.
        scale: Factor on every length.
    """

    name: str
    seed: int
    light: tuple[float, float, float]
    scale: float


TARGET = Rooms("target", 1, (1.0, 1.0, 1.0), 1.0)
OTHERS = (
    Rooms("dim", 11, (0.6, 0.6, 0.6), 1.0),
    Rooms("large", 12, (1.1, 0.95, 0.8), 1.3),
    Rooms("small", 13, (0.8, 0.9, 1.1), 0.7),
)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of the searches of the fourth")
    parser.add_argument("--only", choices=["cold", "warm"], help="measure one of the two")
    parser.add_argument("--processes", type=int, default=2, help="studies at a time, which share the cores")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    if not arguments.report:
        _measure(folder, arguments.seeds, arguments.only, arguments.processes)
    print(json.dumps(curves := {kind: _curves(folder / kind) for kind in ("cold", "warm")}))
    print(table_of(curves["cold"], curves["warm"]))


def _measure(folder: Path, seeds: Sequence[int], only: str | None, processes: int) -> None:
    for rooms in (TARGET, *OTHERS):
        write_rooms(folder / "rooms" / rooms.name, rooms)
    others = [(folder / "others", rooms, number, "--no-warm-start") for number, rooms in enumerate(OTHERS)]
    cold = [(folder / "cold" / str(seed), TARGET, seed, "--no-warm-start") for seed in seeds]
    warm = [(folder / "warm" / str(seed), TARGET, seed, f"--studies={folder / 'others'}") for seed in seeds]
    every = sorted(os.sched_getaffinity(0))
    free: Queue[list[int]] = Queue()
    for first in range(min(processes, len(every))):
        free.put(every[first :: min(processes, len(every))])

    def search(job: tuple[Path, Rooms, int, str]) -> None:
        cores = free.get()
        try:
            _search(folder, cores, *job)
        finally:
            free.put(cores)

    with ThreadPoolExecutor(free.qsize()) as pool:
        list(pool.map(search, [*others, *(cold if only != "warm" else [])]))
        list(pool.map(search, warm if only != "cold" else []))


def write_rooms(folder: Path, rooms: Rooms) -> None:
    """Render a set of rooms, and list its images in ``train.txt`` and ``val.txt``."""
    for number, (split, images) in enumerate(_IMAGES.items()):
        if (folder / f"{split}.txt").exists():
            continue
        rows = []
        for scene, view in itertools.product(range(images // _VIEWS), range(_VIEWS)):
            # The names of NYU Depth V2, whose unit is millimetres.
            image_name, depth_name = (f"{split}/room_{scene:04d}/{kind}_{view:05d}" for kind in ("rgb", "sync_depth"))
            (folder / image_name).parent.mkdir(parents=True, exist_ok=True)
            random = np.random.default_rng((rooms.seed, number, scene, view))
            room = make_scene(np.random.default_rng((rooms.seed, number, scene)))
            image, depth_m = render(room, place_camera(room, random, height=120, width=160))
            lit = np.clip(image * np.array(rooms.light), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{image_name}.jpg"), cv2.cvtColor(lit, cv2.COLOR_RGB2BGR))
            millimetres = np.rint(depth_m * rooms.scale * 1000).astype(np.uint16)
            cv2.imwrite(str(folder / f"{depth_name}.png"), millimetres)
            rows.append(f"{image_name}.jpg {depth_name}.png")
        (folder / f"{split}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _search(folder: Path, cores: Sequence[int], results: Path, rooms: Rooms, seed: int, earlier: str) -> None:
    directory = results / f"{rooms.name}-{seed}"
    if (directory / "best.json").exists():
        return
    data = [f"--data={split}={folder / 'rooms' / rooms.name / split}.txt" for split in _IMAGES]
    how = ["--set=train.num_epochs=6", "--option=grace_epochs=2", f"--trials={TRIALS}", "--time=9h", "--jobs=1"]
    program = str(Path(sys.executable).with_name("automl"))
    # A trial has as many threads as its study has cores.
    command = ["taskset", "-c", ",".join(map(str, cores)), program, "run", "depth_net_mono/demo", *data, *how]
    command += [f"--seed={seed}", earlier, f"--results={results}", f"--study-dir={directory}", "--yes"]
    results.mkdir(parents=True, exist_ok=True)
    with (results / f"{directory.name}.log").open("ab") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)


def _curves(results: Path) -> dict[str, list[float]]:
    """Return the best value after each trial, by seed, of the studies that have ended."""
    found = {}
    for directory in sorted(results.glob("*/target-*")):
        if (directory / "best.json").exists():
            plan, result = read_study(directory)
            metric = plan.objective.metric
            values = [trial.values.get(metric, 0.0) if trial.state.has_value else 0.0 for trial in result.trials]
            found[directory.parent.name] = list(itertools.accumulate(values, max))
    return found


def table_of(cold: dict[str, list[float]], warm: dict[str, list[float]]) -> str:
    """Return a Markdown table: the mean best value after so many trials, and the trials to the best of the cold search.

    A search that does not come to the cold one's best within its trials counts with one trial more than it has. The
    last line is the mean difference of the two searches of a seed, with its standard error.
    """
    seeds = sorted(cold.keys() & warm.keys())
    heads = [f"best after {count}" for count in SHOWN]
    lines = [f"| earlier studies | {' | '.join(heads)} | trials to the cold search's best, by seed | median |"]
    lines.append("|---|" + "---|" * (len(heads) + 2))
    for name, curves in (("none", cold), ("3 on other rooms", warm)):
        means = [f"{mean(curves[seed][count - 1] for seed in seeds):.4f}" for count in SHOWN]
        needed = [_trials_to(curves[seed], cold[seed][-1]) for seed in seeds]
        shown = ", ".join(f"> {TRIALS}" if count > TRIALS else str(count) for count in needed)
        lines.append(f"| {name} | {' | '.join(means)} | {shown} | {median(needed):g} |")
    if len(seeds) > 1:
        pairs = [[warm[seed][count - 1] - cold[seed][count - 1] for seed in seeds] for count in SHOWN]
        cells = [f"{mean(found):+.4f} +- {stdev(found) / len(found) ** 0.5:.4f}" for found in pairs]
        lines.append(f"| difference | {' | '.join(cells)} | | |")
    return "\n".join(lines)


def _trials_to(curve: list[float], value: float) -> int:
    return next((count for count, best in enumerate(curve, start=1) if best >= value), TRIALS + 1)


if __name__ == "__main__":
    main()
