"""What the driver of a long study costs as it grows, and the commands that read it: processor time and memory.

    python -m benchmarks.orchestration.long_study [--most 10000] [--only NAME] [--json FILE] [--keep FOLDER]

The driver is the real one: plan, sampler, scheduler, event log, journal, retention and TensorBoard, in a process for
each row. Its trials are made up in the same process: five epochs of eight metrics each, in two slots. Then the commands
that read a study are run on the last one.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from automl.executor.loop import StudyLoop
from automl.executor.recording import measured_event, started_event
from automl.request.location import RunLocation
from automl.request.study_request import load_study_request
from automl.resolve import chosen_scheduler
from automl.run import make_plan
from automl.samplers.history import History
from automl.samplers.optuna_journal import OptunaJournal
from automl.samplers.quasi_random import RandomSampler
from automl.samplers.registry import make_searcher
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import write_plan
from automl.storage.study_directory import write_result
from automl.study.ends import StopKind
from automl.study.evaluation import RecordLocation
from automl.study.events import TrialEnded, TrialProposed, TrialStarted
from automl.study.model import StudyLocation
from automl.study.trial import Measurement, Proposal, TrialResult, TrialState
from automl.tracking.tensorboard import TensorboardTracker
from automl.trial.attempts import Start
from automl.trial.stop_request import read_stop_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.study.ends import StopCause
    from automl.study.model import StudyPlan

ROWS = (
    ("auto", "auto"),
    ("random", "none"),
    ("random", "asha"),
    ("random", "hyperband"),
    ("random", "median"),
    ("tpe", "none"),
    ("cmaes", "none"),
    ("nsga2", "none"),
)
"""Sampler and scheduler."""
COMMANDS = (["status"], ["status", "--json"], ["compare"], ["report"], ["list", "--studies"], ["clean"])
_EPOCHS = 5
_WINDOW = 40
"""So many trials are averaged over."""
_SLOTS = 2
_LENGTHS = (300, 1_000, 3_000, 10_000)


class FakeTrial:
    """A trial in flight: one epoch for each call."""

    def __init__(self, proposal: Proposal, directory: Path, plan: StudyPlan) -> None:
        self._proposal = proposal
        self._directory = directory
        self._metric = plan.objective.metric
        self._curve: list[tuple[int, float]] = []
        self.is_final = False
        numbers = [value for value in proposal.assignment.values() if isinstance(value, float)]
        self._quality = -sum((math.sin(7.0 * (i + 1)) - value) ** 2 for i, value in enumerate(numbers))

    def step(self, loop: StudyLoop) -> bool:
        """Report an epoch, or the end; return whether it has ended."""
        stop = read_stop_request(self._directory)
        if stop is None and len(self._curve) < _EPOCHS:
            loop.measured(self._proposal.number, self.measure())
            return False
        result = self.result(stop)
        self.is_final = result.state.is_final
        loop.ended(result)
        return True

    def measure(self) -> Measurement:
        """Return the next epoch."""
        epoch = len(self._curve)
        self._curve.append((epoch, self._quality - 1.0 / (1 + epoch)))
        values = {self._metric: self._curve[-1][1], **{f"val/metric_{i}": epoch / (1 + i) for i in range(7)}}
        return Measurement(epoch=epoch, step=epoch * 100, max_epochs=_EPOCHS, values=values, unix_time_s=1.7e9)

    def result(self, stop: StopCause | None) -> TrialResult:
        """Return how it ended."""
        is_paused = stop is not None and stop.kind is StopKind.PAUSE
        state = TrialState.INTERRUPTED if is_paused else TrialState.STOPPED if stop else TrialState.COMPLETED
        return TrialResult(
            number=self._proposal.number,
            state=state,
            assignment=dict(self._proposal.assignment),
            directory=f"trials/{self._directory.name}",
            reason=stop.detail if stop else "",
            values={self._metric: self._curve[-1][1], **{f"val/metric_{i}": 1 / (1 + i) for i in range(7)}},
            best_epoch=self._curve[-1][0],
            epochs=len(self._curve),
            curve=tuple(self._curve),
            elapsed_s=12.5,
            exit_status=0,
            cause=stop,
            origin=self._proposal.origin,
            spec_sha256="0" * 64,
        )


def make_study(root: Path, sampler: str, scheduler: str, trials: int) -> tuple[StudyPlan, StudyPaths]:
    """Make the directory of a study of the toy skill that has room for more trials than so many."""
    request = load_study_request("toy/quick").with_settings(
        name="long", trials=trials, time_s=None, sampler=sampler, scheduler=scheduler, jobs=_SLOTS
    )
    place = RunLocation(results=root / "results")
    plan = make_plan(request, place)
    plan = replace(plan, max_epochs=_EPOCHS, budget=replace(plan.budget, trials=trials + 2 * _WINDOW))
    paths = StudyPaths(root / "results" / plan.name)
    paths.trials.mkdir(parents=True)
    write_plan(paths, plan, request, RecordLocation(tracking_uri="", experiment=plan.experiment), place.results)
    return plan, paths


def make_loop(plan: StudyPlan, paths: StudyPaths) -> StudyLoop:
    """Return the driver of a study, opened."""
    loop = StudyLoop(
        plan,
        StudyLocation(directory=paths.root, tracking_uri="", ray_address=None, session=""),
        searcher=make_searcher(plan),
        scheduler=chosen_scheduler(plan),
        trackers=(TensorboardTracker(),),
        journal=OptunaJournal(paths.journal_file, plan),
    )
    loop.open()
    return loop


def resident_mb() -> float:
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def record(plan: StudyPlan, paths: StudyPaths, trials: int) -> None:
    """Write the log of a driver that was killed after so many random trials."""
    log, sampler, source = EventLog(paths.events_file), RandomSampler(plan.space, plan.seed), History()
    with mock.patch("os.fsync"):
        log.append(started_event(plan, paths))
        for number in range(trials):
            candidate = sampler.propose(source, number)
            proposal = Proposal(number=number, assignment=candidate.assignment, origin=candidate.origin)
            fake = FakeTrial(proposal, paths.attempt(number, 1).root, plan)
            log.append(TrialProposed(trial=number, assignment=proposal.assignment, origin=proposal.origin))
            log.append(
                TrialStarted(
                    trial=number,
                    attempt=1,
                    origin=str(proposal.origin),
                    assignment=proposal.assignment,
                    directory=paths.relative(paths.attempt(number, 1).root),
                    start=Start().document(paths),
                )
            )
            for _ in range(_EPOCHS):
                log.append(measured_event(number, fake.measure()))
            result = fake.result(None)
            log.append(TrialEnded(result))
            write_result(paths, result)
    log.close()


def drive(root: Path, sampler: str, scheduler: str, trials: int) -> dict[str, Any]:
    """Let a study of so many trials go on; return processor time of what it has and of a trial, and the memory."""
    plan, paths = make_study(root, sampler, scheduler, trials)
    record(plan, paths, trials)
    before_mb, began_s = resident_mb(), time.process_time()
    loop = make_loop(plan, paths)
    opened_s = time.process_time() - began_s
    # The first end after a resume looks at the checkpoints of all trials, once: what follows it is measured.
    ended, running, done = 0, list[FakeTrial](), list[FakeTrial]()
    is_begun = False
    while not is_begun or ended < _WINDOW:
        if not is_begun and any(trial.is_final for trial in done):
            is_begun, ended, began_s = True, 0, time.process_time()
        if len(running) < _SLOTS and (task := loop.next_task()) is not None:
            running.append(FakeTrial(task.proposal, task.directory, plan))
        done = [trial for trial in running if trial.step(loop)]
        ended += len(done)
        running = [trial for trial in running if trial not in done]
    ms = 1e3 * (time.process_time() - began_s) / ended
    gc.collect()
    return {
        "sampler": sampler,
        "scheduler": scheduler,
        "trials": trials,
        "ms": round(ms, 2),
        "mb": round(resident_mb() - before_mb, 1),
        "open_s": round(opened_s, 2),
    }


def command_costs(study: Path) -> dict[str, tuple[float, float, float]]:
    """Return processor seconds, wall seconds and MB of each command on a study, as whole processes."""
    costs = {}
    for name, *options in COMMANDS:
        target = study.parent if name in {"list", "clean"} else study
        command = [sys.executable, "-m", "automl.cli.app", name, *options, str(target)]
        before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        costs[" ".join([name, *options])] = (
            round(cpu_s, 2),
            round(time.monotonic() - began_s, 2),
            after.ru_maxrss / 1e3,
        )
    return costs


def _in_process(root: Path, sampler: str, scheduler: str, trials: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.orchestration.long_study", "--one", sampler, scheduler, str(trials)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--keep", str(root)], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    found: dict[str, Any] = json.loads(done.stdout)
    sys.stderr.write(done.stdout)
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lengths = sorted({row["trials"] for row in rows})
    lines = [f"| sampler | scheduler |{''.join(f' {n:,} |' for n in lengths)} open, s | MB |"]
    lines.append(f"|{'---|' * (4 + len(lengths))}")
    for pair in dict.fromkeys((row["sampler"], row["scheduler"]) for row in rows):
        found = [row for row in rows if (row["sampler"], row["scheduler"]) == pair]
        cells = [*pair, *(f"{row['ms']:g}" for row in found), f"{found[-1]['open_s']:g}", f"{found[-1]['mb']:g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run every row and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only rows with this in sampler/scheduler")
    parser.add_argument("--most", type=int, default=_LENGTHS[-1], help="trials of the longest study")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the studies are left")
    parser.add_argument("--one", nargs=3, metavar=("SAMPLER", "SCHEDULER", "TRIALS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sampler, scheduler, trials = options.one
        print(json.dumps(drive(options.keep, sampler, scheduler, int(trials))))
        return 0
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:
        for sampler, scheduler in ROWS:
            for trials in _LENGTHS:
                if options.only in f"{sampler}/{scheduler}" and trials <= options.most:
                    root = (options.keep or Path(temporary)) / f"{sampler}-{scheduler}-{trials}"
                    rows.append(_in_process(root, sampler, scheduler, trials))
        folders = sorted(
            (options.keep or Path(temporary)).glob("*/results/*/plan.json"), key=lambda p: p.stat().st_mtime
        )
        costs = command_costs(folders[-1].parent)
    print(table(rows))
    print("\n| command | CPU-s | s | MB |\n|---|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {' | '.join(f'{number:g}' for number in cost)} |")
    if options.json is not None:
        options.json.write_text(json.dumps({"rows": rows, "commands": costs}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
