"""What floods cost a study: a million status lines, a log of 300 MB, 20,000 metrics an epoch, in a driver with Ray.

    python -m benchmarks.orchestration.floods [--only NAME]

One study of one trial for each flood. It prints the seconds that the study took beside those of the trainer, how long
after its limit a trial that floods for ever had ended, the largest memory of the driver and of its worker, the size of
the event log, and how late the driver must have written for no second to have had more than 50 events. Exit status 1
where the driver took 300 MB or more, that is more than 10 s, or a limit was passed by more than 10 s.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from automl.launch.processes import descendants
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.events import Measured, Noticed
from automl.trial.reporter import REPORTS_PER_S
from benchmarks.orchestration.chaos_driver import FLOODS, LIMIT_S

_DRIVER = Path(__file__).parent / "chaos_driver.py"
_MOST_DRIVER_MB = 300.0
_LATEST_S = 10.0
_MOST_LATE_S = 10.0
_PATIENCE_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a flood cost."""

    flood: str
    state: str
    expected: str
    wall_s: float
    trial_s: float
    driver_mb: float
    worker_mb: float
    log_mb: float
    late_s: float
    notices: int

    @property
    def is_good(self) -> bool:
        """The trial ended as it should, in time, and cost no more than it may."""
        in_time = "timeout" not in self.expected or self.trial_s < LIMIT_S + _LATEST_S
        bounded = self.driver_mb < _MOST_DRIVER_MB and self.late_s <= _MOST_LATE_S
        return self.state == self.expected and in_time and bounded


class Memory(threading.Thread):
    """Watches the largest memory of a process and of its Ray workers, in MB."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.driver = self.worker = 0.0

    def run(self) -> None:
        """Look five times a second until the process has ended."""
        while self._process.poll() is None:
            self.driver = max(self.driver, _resident_mb(self._process.pid))
            for below in descendants(self._process.pid):
                with suppress(OSError):
                    if b"ray::" in Path(f"/proc/{below.pid}/cmdline").read_bytes():
                        self.worker = max(self.worker, _resident_mb(below.pid))
            time.sleep(0.2)


def _resident_mb(pid: int) -> float:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


def measure(name: str) -> Cost:
    """Run one study."""
    root = Path(tempfile.mkdtemp(prefix="flood-"))
    began_s = time.monotonic()
    with (root / "driver.log").open("wb") as log:
        command = [sys.executable, str(_DRIVER), str(root), name]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        memory = Memory(process)
        memory.start()
        status = process.wait(_PATIENCE_S)
    wall_s = time.monotonic() - began_s
    if status:
        sys.stderr.write((root / "driver.log").read_text(encoding="utf-8")[-2000:])
    paths = StudyPaths(root / "study")
    (result,) = read_results(paths)
    entries = [entry for entry in read_log(paths.events_file) if isinstance(entry.event, Measured)]
    cost = Cost(
        flood=name,
        state=f"{result.state.value} {result.failure.value}" if result.failure else result.state.value,
        expected=FLOODS[name].state,
        wall_s=round(wall_s, 1),
        trial_s=round(result.elapsed_s, 1),
        driver_mb=round(memory.driver),
        worker_mb=round(memory.worker),
        log_mb=round(paths.events_file.stat().st_size / 1e6, 2),
        late_s=round(lateness_s([entry.time.timestamp() for entry in entries]), 1),
        notices=sum(isinstance(entry.event, Noticed) for entry in read_log(paths.events_file)),
    )
    sys.stderr.write(f"{json.dumps({'flood': cost.flood, 'state': cost.state, 'good': cost.is_good})}\n")
    return cost


def lateness_s(times: list[float]) -> float:
    """Return how late the driver must have written some events for no second to have had more than may be reported.

    The log has the times of the driver, which writes at once what has come while it had no processor. Every stretch of
    the log is looked at, so a burst after a pause counts like one at the beginning.

    Args:
        times: Of the events, in seconds, ascending.
    """
    earliest, late_s = math.inf, 0.0
    for number, at_s in enumerate(times):
        due_s = number / REPORTS_PER_S
        earliest = min(earliest, due_s - at_s)
        late_s = max(late_s, due_s + 1 / REPORTS_PER_S - at_s - earliest - 1)
    return late_s


def table(costs: list[Cost]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| the trainer writes | end | study, s | trial, s | driver, MB | worker, MB | events, MB | late, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cost in costs:
        end = cost.state if cost.state == cost.expected else f"**{cost.state}**"
        amounts = (cost.wall_s, cost.trial_s, cost.driver_mb, cost.worker_mb, cost.log_mb, cost.late_s)
        lines.append(f"| {cost.flood} | {end} | {' | '.join(f'{amount:g}' for amount in amounts)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure every flood and print the table; return 1 if one cost more than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only floods with this in their name")
    names = [name for name in FLOODS if parser.parse_args().only in name]
    costs = [measure(name) for name in names]
    print(table(costs))
    return 0 if all(cost.is_good for cost in costs) else 1


if __name__ == "__main__":
    sys.exit(main())
