"""`automl logs`: the log of a trial; with -f as it grows."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from automl.errors import ConfigurationError, Problem
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_study

if TYPE_CHECKING:
    from automl.study.trial import TrialResult

_POLL_S = 0.3
_CHUNK_BYTES = 1 << 20


@click.command("logs", help="Print the log of a trial, of its latest attempt.")
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.argument("trial", type=click.IntRange(min=0))
@click.option("-f", "--follow", is_flag=True, help="Follow the log until the trial ends.")
def command(study_dir: Path, trial: int, *, follow: bool) -> None:
    """Print the log, byte by byte as the trial wrote it."""
    root = study_dir.expanduser().absolute()
    result = _trial(root, trial)
    log = StudyPaths(root).attempt(trial, result.attempt).log_file
    if not follow and not log.is_file():
        raise _unknown(str(log), "no log", "a trial that was started", "choose another trial")
    offset = _print_from(log, 0)
    while follow:
        # Checked before reading, so that everything written before the end is printed.
        is_running = _trial(root, trial) == result and running_process(StudyPaths(root)) is not None
        offset = _print_from(log, offset)
        if result.state.is_final or not is_running:
            return
        time.sleep(_POLL_S)


def _trial(root: Path, number: int) -> TrialResult:
    _, result = read_study(root)
    found = next((trial for trial in result.trials if trial.number == number), None)
    if found is None:
        listed = ", ".join(str(trial.number) for trial in result.trials) or "no trial yet"
        raise _unknown(f"TRIAL {number}", "no such trial", listed, "choose one of these trials")
    return found


def _print_from(log: Path, offset: int) -> int:
    """Write a log to stdout from an offset; return the offset behind it."""
    stdout: BinaryIO = sys.stdout.buffer
    try:
        with log.open("rb") as stream:
            stream.seek(offset)
            while content := stream.read(_CHUNK_BYTES):
                stdout.write(content)
                offset += len(content)
    except FileNotFoundError:
        return offset
    stdout.flush()
    return offset


def _unknown(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the command line")
