"""Kill the driver of a study while it hands the best over, and see what resumes make of it.

    python -m benchmarks.orchestration.chaos --only handing [--kills 40]

A study of the toy skill is run by the command line and killed with SIGKILL right after the result of its last trial.
From there, once for each kill, it is resumed and killed at a random instant between the end of its trials and its own
end; of every fifth kill the log ends with the last result, of the others with `study_ended`. Then one resume has to
leave nothing missing: best checkpoint, evaluation, registered model, report, record.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.handoff.hand_over import missing_parts
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state
from automl.study.events import StudyEnded, TrialEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE_S = 1800.0
_TRIALS = 2
_STUDY = "toy-quick"
_SEED = 6
_EVERY = 5


@dataclass(frozen=True, kw_only=True)
class EndKill:
    """What one kill of the driver in its last phase cost.

    Attributes:
        after: The event that the log ended with when the killed run began.
        at_s: Seconds from `study_ended`, or from the start of a run that began behind it, to the kill.
        missing: What was missing after the kill.
        status: Exit status of the resume.
        wrong: What was wrong after it, and after another one; empty if nothing.
    """

    after: str
    at_s: float
    missing: tuple[str, ...]
    status: int
    wrong: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """One resume has done what was missing, and said so by its status."""
        return not self.wrong and self.status == (0 if self.missing else 3)


def command(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command of `automl` whose results are in a folder."""
    environment = {**os.environ, "AUTOML_RESULTS": str(folder / "results"), "OMP_NUM_THREADS": "1"}
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "automl.cli.app", *arguments], env=environment, stdout=log, stderr=log
        )


def wait_for(process: subprocess.Popen[bytes], is_reached: Callable[[], bool]) -> None:
    """Wait until something is true or the process has ended."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while process.poll() is None and not is_reached():
        if time.monotonic() > deadline_s:
            process.kill()
            raise TimeoutError("the driver did not come so far")
        time.sleep(0.01)


def count(paths: StudyPaths, kind: type) -> int:
    """Return how many events of a kind a log has."""
    return sum(isinstance(entry.event, kind) for entry in read_log(paths.events_file))


def kill(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill a driver, and wait until the writer of its record has ended too.

    Raises:
        TimeoutError: it lives on.
    """
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline_s = time.monotonic() + _PATIENCE_S
    while any(str(folder).encode() in line for line in command_lines()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"a process of {folder} outlives its driver")
        time.sleep(0.05)


def command_lines() -> Iterator[bytes]:
    """Yield the command lines of the processes that live."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            yield file.read_bytes()


def prepare(folder: Path) -> Path:
    """Run a study up to its last result and keep a copy of its results; return the copy."""
    paths = StudyPaths(folder / "results" / _STUDY)
    process = command(folder, "run", "toy/quick", "--yes", "--trials", str(_TRIALS))
    wait_for(process, lambda: count(paths, TrialEnded) == _TRIALS)
    kill(process, folder)
    return Path(shutil.copytree(folder / "results", folder / TrialEnded.kind))


def with_end(folder: Path, copy: Path) -> tuple[Path, float]:
    """Go on from a copy to `study_ended`; return a copy of there, and how long the rest takes in seconds."""
    paths = restore(folder, copy)
    process = command(folder, "resume", str(paths.root))
    wait_for(process, lambda: count(paths, StudyEnded) > 0)
    kill(process, folder)
    ended = Path(shutil.copytree(folder / "results", folder / StudyEnded.kind))
    began_s = time.monotonic()
    process = command(folder, "resume", str(paths.root))
    process.wait(_PATIENCE_S)
    return ended, time.monotonic() - began_s


def restore(folder: Path, copy: Path) -> StudyPaths:
    """Put a copy of the results in their place."""
    shutil.rmtree(folder / "results")
    shutil.copytree(copy, folder / "results")
    return StudyPaths(folder / "results" / _STUDY)


def kill_once(folder: Path, copy: Path, at_s: float) -> EndKill | None:
    """Resume from a copy, kill the driver, and resume until it should be complete; None if it had ended before."""
    paths = restore(folder, copy)
    process = command(folder, "resume", str(paths.root))
    wait_for(process, lambda: count(paths, StudyEnded) > 0)
    time.sleep(at_s)
    if process.poll() is not None:
        return None
    kill(process, folder)
    uri = f"sqlite:///{folder / 'results/mlflow.db'}"
    missing = missing_parts(paths, uri)
    status = command(folder, "resume", str(paths.root)).wait(_PATIENCE_S)
    wrong = [f"{part} is missing" for part in missing_parts(paths, uri)]
    if not read_state(paths).is_handed_over:
        wrong.append("the log does not say that it is handed over")
    wrong += wrong_in_record(folder / "results/mlflow.db")
    again = command(folder, "resume", str(paths.root)).wait(_PATIENCE_S)
    wrong += [f"another resume ended with {again}"] if again != 3 else []  # noqa: PLR2004 # nothing to run
    return EndKill(after=copy.name, at_s=round(at_s, 2), missing=tuple(missing), status=status, wrong=tuple(wrong))


def wrong_in_record(database: Path) -> list[str]:
    """Return what is wrong with the record of the study: runs that have not ended, other than one of each, versions."""
    import sqlite3  # noqa: PLC0415 # only here

    with closing(sqlite3.connect(database)) as store:
        runs = store.execute("select count(*), count(distinct name), sum(status != 'FINISHED') from runs").fetchone()
        trials = store.execute("select count(*) from tags where key = 'automl.kind' and value = 'trial'").fetchone()[0]
        versions = store.execute("select count(*) from model_versions").fetchone()[0]
        aliases = store.execute("select count(*) from registered_model_aliases").fetchone()[0]
    found = {"unfinished runs": runs[2], "trials": trials, "model versions": versions, "champions": aliases}
    expected = {"unfinished runs": 0, "trials": _TRIALS, "model versions": 1, "champions": 1}
    return [f"{name}: {number}, not {expected[name]}" for name, number in found.items() if number != expected[name]]


def kill_at_the_end(kills: int) -> list[EndKill]:
    """Kill a driver so many times in its last phase."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-end-"))
    unended = prepare(folder)
    ended, whole_s = with_end(folder, unended)
    generator = random.Random(_SEED)  # noqa: S311 # instants, no secrets
    done: list[EndKill] = []
    while len(done) < kills:
        copy, at_s = unended if len(done) % _EVERY == 0 else ended, generator.uniform(0.0, whole_s)
        found = kill_once(folder, copy, at_s)
        if found is None:
            whole_s = at_s  # it was slower when it was measured
            continue
        sys.stderr.write(f"killed {found.at_s:.1f} s after {found.after}: {found.missing or 'nothing'} missing, resume")
        sys.stderr.write(f" {found.status}{', '.join(['', *found.wrong])}\n")
        done.append(found)
    shutil.rmtree(folder)
    return done


def end_table(kills: list[EndKill]) -> str:
    """Return the results as Markdown: a row for each set of what was missing."""
    lines = ["| the kill left missing | kills | complete after one resume, then exit 3 |", "|---|---|---|"]
    for missing in sorted({kill.missing for kill in kills}, key=lambda parts: (-len(parts), parts)):
        same = [kill for kill in kills if kill.missing == missing]
        good = sum(kill.is_good for kill in same)
        lines.append(f"| {', '.join(missing) or 'nothing'} | {len(same)} | {good} |")
    return "\n".join(lines)
