"""`automl stop`: end a study, or one running trial of it."""

from __future__ import annotations

from pathlib import Path

import click

from automl.errors import NothingToRunError
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_study
from automl.study.ends import StopCause, StopKind
from automl.study.trial import TrialState

_CAUSE = StopCause(kind=StopKind.USER, detail="stopped by the user")


@click.command(
    "stop", help="End a study: running trials are stopped, their best values count, the best checkpoint is handed over."
)
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.option(
    "--trial", "number", type=click.IntRange(min=0), metavar="N", help="Only this trial; the study continues."
)
def command(study_dir: Path, number: int | None) -> None:
    """Request the end; the process that runs the study reacts within a second."""
    from automl.trial.stop_request import request_stop  # noqa: PLC0415 - imported when the command is called

    root = study_dir.expanduser().absolute()
    _, result = read_study(root)
    process = running_process(StudyPaths(root))
    if process is None:
        raise NothingToRunError(f"no process runs {root}")
    if number is None:
        request_stop(root, _CAUSE)
        click.echo(f"the study (process {process}) is asked to end; automl resume goes on with it later")
        return
    trial = next((t for t in result.trials if t.number == number and t.state is TrialState.RUNNING), None)
    if trial is None:
        raise NothingToRunError(f"no trial {number} of {root} is running")
    request_stop(StudyPaths(root).attempt(number, trial.attempt).root, _CAUSE)
    click.echo(f"trial {number} is asked to stop")
