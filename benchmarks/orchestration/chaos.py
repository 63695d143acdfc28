"""Everything that a trainer can do wrong, while everything that runs the study is killed.

    python -m benchmarks.orchestration.chaos [--json FILE] [--only NAME] [--faults 13]

One study for each thing that is killed: its trials are the scripted trainer of the acceptance tests, one trial for each
of the trainer's faults, two slots. Once the first trials report, the driver, a Ray worker, Ray's node process or the
server that forks trials is killed with SIGKILL; in one more study the driver is killed four times, at random instants
of its start or its work. It is measured how long any trial's process of that study lives on;
then the study is resumed if it did not go on by itself, and each trial must end in the state that its fault calls for,
with no process left.

Another study is killed so many times (`--kills`) while it hands its best over: see `chaos_end`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.launch.processes import descendants, find_leftovers
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.trial import TrialState
from automl.trial.task import study_tag
from benchmarks.orchestration.chaos_driver import FAULTS, chaos_plan
from benchmarks.orchestration.chaos_end import end_table, kill_at_the_end

if TYPE_CHECKING:
    from collections.abc import Callable

_DRIVER = Path(__file__).parent / "chaos_driver.py"
_PATIENCE_S = 1200.0
_GONE_WITHIN_S = 5.0
AGAIN = "driver, 4 times"
END = "driver, handing over"
KINDS = ("none", "driver", "worker", "raylet", "fork server", AGAIN)
_TIMES, _SEED = 4, 6
_SHARE_AT_WORK = 0.7
_LATEST_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one trial.

    Attributes:
        killed: What was killed.
        fault: What the trainer did.
        expected: The expected state.
        state: The state it got, with the kind of failure.
        attempts: Attempts that it took.
        is_right: They agree.
    """

    killed: str
    fault: str
    expected: str
    state: str
    attempts: int
    is_right: bool


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What a kill did.

    Attributes:
        killed: What was killed.
        gone_s: Seconds until no trial process of before the kill lived; None where trials go on.
        left: Processes of trials at the end of the study.
        rows: Of its trials.
    """

    killed: str
    gone_s: float | None
    left: int
    rows: tuple[Row, ...]


def start(root: Path, faults: int) -> subprocess.Popen[bytes]:
    """Start or resume the study."""
    log = (root / "driver.log").open("ab")
    return subprocess.Popen([sys.executable, str(_DRIVER), str(root), str(faults)], stdout=log, stderr=log)


def wait_for_reports(root: Path) -> None:
    """Wait until the study has heard of a trial."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while not values_measured(root):
        if time.monotonic() > deadline_s:
            raise TimeoutError((root / "driver.log").read_text(encoding="utf-8")[-2000:])
        time.sleep(0.05)


def values_measured(root: Path) -> int:
    """Return how many values of trials stand in the study's event log."""
    with suppress(FileNotFoundError):
        return StudyPaths(root / "study").events_file.read_bytes().count(b'"measured"')
    return 0


def below(pid: int, text: str) -> list[int]:
    """Return the processes below one whose command line has a text."""
    found = []
    for process in descendants(pid):
        try:
            line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in line:
            found.append(process.pid)
    return found


def servers() -> list[int]:
    """Return the fork servers of this user, whose parent has ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                is_own = entry.stat().st_uid == os.getuid()
            except OSError:
                continue
            if b"automl.launch.fork_server" in line and is_own:
                found.append(int(entry.name))
    return found


def victims_of(kind: str, driver: int, before: set[int]) -> list[int]:
    """Return the processes to kill."""
    match kind:
        case "driver":
            return [driver]
        case "worker":
            return below(driver, "ray::ResourceTrainable")[:1]
        case "raylet":
            return below(driver, "raylet/raylet")[:1]
        case "fork server":
            return [pid for pid in servers() if pid not in before]
        case _:
            return []


def seconds_until(is_done: Callable[[], bool], limit_s: float) -> float:
    """Wait for something; return how long it took, or the limit."""
    began_s = time.monotonic()
    while not is_done() and time.monotonic() < began_s + limit_s:
        time.sleep(0.02)
    return time.monotonic() - began_s


def kill_again_and_again(
    root: Path, process: subprocess.Popen[bytes], faults: int, tag: str
) -> tuple[subprocess.Popen[bytes], float]:
    """Kill the driver at random instants and start it again each time.

    Returns:
        The driver that is left to end the study, and the longest time that trials outlived theirs in seconds.
    """
    generator = random.Random(_SEED)  # noqa: S311 # instants, no secrets
    longest_s = 0.0
    for _ in range(_TIMES):
        began_s = time.monotonic()
        # From the start of Ray on, or with trials that run, as chance has it.
        if generator.random() < _SHARE_AT_WORK:
            wait_for_new_reports(root, process)
        time.sleep(generator.uniform(0.0, _LATEST_S))
        if process.poll() is not None:
            break
        living = {(p.pid, p.start) for p in find_leftovers(tag)}
        process.kill()
        process.wait()
        gone_s = seconds_until(lambda: not living & {(p.pid, p.start) for p in find_leftovers(tag)}, 30.0)  # noqa: B023 # at once
        sys.stderr.write(f"killed {time.monotonic() - began_s:.1f} s after its start, with {len(living)} processes\n")
        longest_s = max(longest_s, gone_s)
        process = start(root, faults)
    return process, longest_s


def wait_for_new_reports(root: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the study has heard more than it knows now, or is over."""
    known = values_measured(root)
    while process.poll() is None and values_measured(root) == known:
        time.sleep(0.02)


def run(kind: str, faults: int) -> Kill:
    """Run one study and kill one kind of process in it."""
    root = Path(tempfile.mkdtemp(prefix="chaos-"))
    before = set(servers())
    plan = chaos_plan(root, str(faults))
    tag = study_tag(plan, root / "study")
    process = start(root, faults)
    gone_s = None
    if kind == AGAIN:
        process, gone_s = kill_again_and_again(root, process, faults, tag)
    elif kind != "none":
        wait_for_reports(root)
        living = {(p.pid, p.start) for p in find_leftovers(tag)}
        for pid in victims_of(kind, process.pid, before):
            os.kill(pid, signal.SIGKILL)
        if kind != "worker":  # the other slot's trial goes on
            gone_s = seconds_until(lambda: not living & {(p.pid, p.start) for p in find_leftovers(tag)}, 30.0)
    status = process.wait(_PATIENCE_S)
    if status != 0 and kind != "none":
        status = start(root, faults).wait(_PATIENCE_S)
    if status != 0:
        sys.stderr.write((root / "driver.log").read_text(encoding="utf-8")[-2000:])
    return Kill(killed=kind, gone_s=gone_s, left=len(find_leftovers(tag)), rows=tuple(rows_of(kind, root, faults)))


def rows_of(kind: str, root: Path, faults: int) -> list[Row]:
    """Return what became of each trial of a study."""
    results = {result.number: result for result in read_results(StudyPaths(root / "study"))}
    rows = []
    for number, (fault, expected) in enumerate(list(FAULTS.items())[:faults]):
        result = results.get(number)
        state = "missing" if result is None else result.state.value
        if result is not None and result.state is TrialState.FAILED and result.failure is not None:
            state = f"{state} {result.failure.value}"
        attempts = 0 if result is None else result.attempt
        right = state == expected.state
        rows.append(
            Row(killed=kind, fault=fault, expected=expected.state, state=state, attempts=attempts, is_right=right)
        )
    return rows


def table(kills: list[Kill]) -> str:
    """Return the results as Markdown: a row per fault, a column per thing that was killed."""
    lines = [f"| trainer | expected end | {' | '.join(kill.killed for kill in kills)} |"]
    lines.append("|---|---|" + "---|" * len(kills))
    for index, row in enumerate(kills[0].rows):
        cells = [_cell(kill.rows[index]) for kill in kills]
        lines.append(f"| {row.fault} | {row.expected} | {' | '.join(cells)} |")
    gone = [f"{kill.gone_s:.2f} s" if kill.gone_s is not None else "-" for kill in kills]
    lines.append(f"| all trial processes dead after | {_GONE_WITHIN_S:g} s at most | {' | '.join(gone)} |")
    lines.append(f"| processes left at the end | 0 | {' | '.join(str(kill.left) for kill in kills)} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    mark = "ok" if row.is_right else f"**{row.state}**"
    return f"{mark} ({row.attempts})" if row.attempts > 1 else mark


def is_good(kill: Kill) -> bool:
    """Tell whether everything ended as it should."""
    in_time = kill.gone_s is None or kill.gone_s <= _GONE_WITHIN_S
    return in_time and kill.left == 0 and all(row.is_right for row in kill.rows)


def main() -> int:
    """Run every study and print the table; return 1 if anything ended otherwise than it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the table as JSON, too")
    parser.add_argument("--only", default="", help="only what is killed under this name")
    parser.add_argument("--kills", type=int, default=10, help="how often a driver is killed while it hands over [10]")
    parser.add_argument("--faults", type=int, default=len(FAULTS), help="only the first so many faults of the trainer")
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if arguments.only in kind]
    ends = kill_at_the_end(arguments.kills) if arguments.only in END else []
    kills = []
    for kind in kinds:
        kills.append(run(kind, arguments.faults))
        sys.stderr.write(f"{kind}: {'as it should' if is_good(kills[-1]) else 'NOT as it should'}\n")
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}; `ok (2)`: in two attempts\n")
    print("\n\n".join([*([table(kills)] if kills else []), *([end_table(ends)] if ends else [])]))
    is_all_good = all(map(is_good, kills)) and all(end.is_good for end in ends)
    if arguments.json is not None:
        document: dict[str, Any] = {"kills": [asdict(kill) for kill in kills], "ends": [asdict(end) for end in ends]}
        arguments.json.write_text(json.dumps({**document, "good": is_all_good}, indent=1) + "\n", encoding="utf-8")
    return 0 if is_all_good else 1


if __name__ == "__main__":
    sys.exit(main())
