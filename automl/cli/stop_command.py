"""`automl stop`: end one running trial of a study, or all of them."""

from __future__ import annotations

from pathlib import Path

import click

from automl.errors import NothingToRunError
from automl.study.directory import StudyDirectory
from automl.study.document import read_study
from automl.study.trial import TrialState


@click.command("stop", help="End a running trial, or every running trial, of a study; its best value so far counts.")
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.option("--trial", "number", type=click.IntRange(min=0), metavar="N", help="Only this trial.")
def command(study_dir: Path, number: int | None) -> None:
    """Ask for the end of trials; the study goes on with the next ones."""
    from automl.tuning.stop_request import request_stop  # noqa: PLC0415 - opened when the command is called

    root = study_dir.expanduser().absolute()
    _, result = read_study(root)
    running = [t for t in result.trials if t.state is TrialState.RUNNING and number in {None, t.number}]
    if not running:
        raise NothingToRunError(f"no trial{'' if number is None else f' {number}'} of {root} is running")
    for trial in running:
        request_stop(StudyDirectory(root).trial(trial.number, trial.attempt), "stopped by the user")
        click.echo(f"trial {trial.number} is asked to stop")
