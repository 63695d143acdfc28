"""The life of trials on GPUs: the gap between two, how fast a killed one gives everything back, several on one GPU.

    python -m benchmarks.orchestration.on_gpus --out DIR [--parts gkp] [--kills 200]

(g) One slot, short trainings of `depth_net`: from the end of a trial to the first training step of the next.
(k) Processes that hold GPU memory, ignore SIGTERM and have a child in another session are killed, on all GPUs at once:
    until no process lives, and until the driver counts the memory as free.
(p) Small trials four on one GPU against one after the other: trials per hour.

What a whole node does (trials side by side, several GPUs per trial) is in `benchmarks/node`. `--smoke` takes the same
steps without a GPU and checks nothing that depends on speed.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.local import WarmLauncher
from automl.launch.processes import find_leftovers
from automl.machine import query_gpus_now
from benchmarks.node.logical import offer_logical_gpus
from benchmarks.node.measure import json_lines, moment_s, seconds
from benchmarks.node.node import SHORT, SMOKE, Bench, MeasurementError, Scale, Shape, make_data
from benchmarks.node.watch import Watch
from benchmarks.orchestration import gpu_holder
from benchmarks.orchestration.gaps import gaps_s

GAP_CEILING_S, DEAD_CEILING_S, FREED_CEILING_S, PACKING_FLOOR = 0.45, 0.5, 1.5, 2.0
SMALL = Scale(encoder="vits", crop=126, repeats=2, epochs=2, short_epochs=2, batch=8)
GAPS = 10
PACKED = 8
HELD_GIB = 8.0
_SLACK_GIB = 0.05
_PATIENCE_S = 30.0
_CLOSING_S = 5.0
_WATCH_S = 0.005
_EPOCH_TIME = re.compile(r'"time_per_epoch": ?"([^"]+)"')


def main() -> int:
    """Measure the chosen parts, print the table, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", default="gkp")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--smoke", action="store_true", help="a tiny model without a GPU, no judgement of speed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.smoke:
            offer_logical_gpus(1, Path(folder))
        scale = SMOKE if options.smoke else SMALL
        bench = Bench(
            gpus=1,
            scale=scale,
            folder=Path(folder),
            out=options.out,
            name="on_gpus",
            command="python -m benchmarks.orchestration.on_gpus",
            checks_speed=not options.smoke,
        )
        if {"g", "p"} & set(options.parts):
            bench.images = make_data(bench)
        if "k" in options.parts:
            kills(bench, 4 if options.smoke else options.kills)
        os.environ["CUDA_VISIBLE_DEVICES"] = "0"
        for part, measure in (("g", gap), ("p", packing)):
            if part in options.parts:
                try:
                    measure(bench)
                except MeasurementError as error:
                    bench.note(f"({part})", f"failed: {error}", "", holds=False)
    print(bench.table())
    return 0 if all(row["holds"] for row in bench.rows) else 1


def gap(bench: Bench) -> None:
    """Time what lies between the end of one trial and the first step of the next."""
    with FirstSteps(bench.folder / "gap") as first_steps:
        result = bench.study(
            "gap",
            Shape(jobs=1, gpus=1, trials=GAPS + 1 if bench.checks_speed else 3),
            extra=_equal_trials(2),
            data=SHORT,
        )
    events = json_lines(Path(result["study_dir"]) / "events.jsonl")
    ends = {event["trial"]: moment_s(event) for event in events if event["event"] == "trial_ended"}
    stages = {
        "next process started": gaps_s(events)[0],
        "its first training step": [first_steps.at[number] - ends[number - 1] for number in sorted(ends)[1:]],
    }
    for name, each in stages.items():
        shown = f"median {statistics.median(each):.2f} s, worst {max(each):.2f} s"
        is_last = name == "its first training step"
        holds = not is_last or statistics.median(each) <= GAP_CEILING_S
        bench.note(f"(g) end of a trial -> {name}", shown, f"<= {GAP_CEILING_S} s" if is_last else "", holds=holds)


class FirstSteps(Watch):
    """Notes when each trial under a folder takes its first training step.

    A trial reports at the end of its first epoch how long that took. The study itself would see the line at its next
    poll, up to a tenth of a second later.

    Attributes:
        at: Number of the trial -> time of its first step, in seconds since 1970.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(_WATCH_S)
        self.at: dict[int, float] = {}
        self._folder = folder

    def look(self) -> None:
        """Note the trials whose first epoch has been reported since."""
        for status in self._folder.glob("**/trials/*/train/status.json"):
            number = int(status.parts[-3])
            found = None if number in self.at else _EPOCH_TIME.search(status.read_text(encoding="utf-8"))
            if found is not None:
                self.at[number] = time.time() - seconds(found[1])


def kills(bench: Bench, count: int) -> None:
    """Kill what holds GPU memory, on every GPU at once."""
    gpu_holder.install(bench.folder / "holder")
    empty = {str(gpu.index): gpu.used_gib for gpu in query_gpus_now()}
    devices = list(empty) if bench.checks_speed else ["0"]
    session = secrets.token_hex(8)
    launcher = WarmLauncher(session, gpu_holder.NAME, log=bench.folder / "holder.log")
    launcher.start()
    dead: list[float] = []
    freed: list[float] = []

    def kill_on(device: str) -> None:
        for number in range(count // len(devices)):
            request = _holder(bench, f"{session}/{device}-{number:04d}", device)
            dead.append(_kill(launcher, request))
            freed.append(_until_free(device, empty.get(device, 0.0)))

    with ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(kill_on, devices))
    launcher.close()
    closed_s = time.monotonic()
    # What was forked from the warm server has its tag; what waits for a next trial ends with it.
    while (left := len(find_leftovers(f"{session}-server"))) and time.monotonic() - closed_s < _CLOSING_S:
        time.sleep(0.1)
    held = max((gpu.used_gib - empty[str(gpu.index)] for gpu in query_gpus_now()), default=0.0)
    shown = f"median {statistics.median(dead):.2f} s, worst {max(dead):.2f} s"
    bench.note(
        f"(k) {len(dead)} kills: tree dead after", shown, f"<= {DEAD_CEILING_S} s", holds=max(dead) <= DEAD_CEILING_S
    )
    shown = f"median {statistics.median(freed):.2f} s, worst {max(freed):.2f} s"
    bench.note("(k) memory free after", shown, f"<= {FREED_CEILING_S} s", holds=max(freed) <= FREED_CEILING_S)
    bench.note(
        "(k) left at the end", f"{left} processes, {held:.2f} GiB", "nothing", holds=not left and held < _SLACK_GIB
    )


def _holder(bench: Bench, tag: str, device: str) -> LaunchRequest:
    folder = bench.folder / "holders" / tag
    folder.mkdir(parents=True)
    return LaunchRequest(
        command=(gpu_holder.NAME, str(folder / "holds"), str(HELD_GIB if bench.checks_speed else 0.01)),
        directory=folder,
        environment=trial_environment(os.environ, tag=tag, extra={"CUDA_VISIBLE_DEVICES": device}),
        log=folder / "log",
        tag=tag,
        gpus=(device,),
    )


def _kill(launcher: WarmLauncher, request: LaunchRequest) -> float:
    """Start what holds memory, kill it once it does; return the seconds until none of its processes lived."""
    job = launcher.launch(request)
    while not Path(request.command[1]).exists():
        if job.poll() is not None:
            raise SystemExit(request.log.read_text(encoding="utf-8"))
        time.sleep(0.01)
    began = time.monotonic()
    job.kill(grace_s=0.0)
    return time.monotonic() - began


def _until_free(device: str, empty_gib: float) -> float:
    """Seconds until the driver counts no more memory than before."""
    began = time.monotonic()
    while True:
        used = {str(gpu.index): gpu.used_gib for gpu in query_gpus_now()}
        waited = time.monotonic() - began
        if used.get(device, 0.0) - empty_gib < _SLACK_GIB or waited > _PATIENCE_S:
            return waited


def packing(bench: Bench) -> None:
    """Compare trials per hour: four on one GPU, and one after the other."""
    hours = {}
    for name, jobs, share in (("one", 1, 1.0), ("four", 4, 0.25)):
        shape = Shape(jobs=jobs, gpus=share, trials=PACKED)
        result = bench.study(f"pack-{name}", shape, extra=_equal_trials(bench.scale.epochs), data=SHORT)
        hours[name] = _window_s(Path(result["study_dir"]) / "events.jsonl") / 3600
    ratio = hours["one"] / hours["four"]
    shown = f"{PACKED / hours['one']:.0f} -> {PACKED / hours['four']:.0f} trials per hour, {ratio:.2f}x"
    bench.note("(p) small trials, four on one GPU", shown, f">= {PACKING_FLOOR}x", holds=ratio >= PACKING_FLOOR)


def _window_s(events: Path) -> float:
    """From the first start to the last end."""
    times = [moment_s(line) for line in json_lines(events) if line["event"] in {"trial_started", "trial_ended"}]
    return max(times) - min(times)


def _equal_trials(epochs: int) -> list[str]:
    return ["--search=train.optim.weight_decay", f"--set=train.num_epochs={epochs}", "--set=train.cuda_graph=on"]


if __name__ == "__main__":
    sys.exit(main())
