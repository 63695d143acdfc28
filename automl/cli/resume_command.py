"""`automl resume`: continue an interrupted study."""

from __future__ import annotations

import json
from pathlib import Path

import click

from automl.cli.options import notify_option, progress_and_notification
from automl.storage.study_document import study_document


@click.command("resume", help="Continue an interrupted study; trials that have ended are kept.")
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="A new number of trials.")
@click.option("--ray-address", metavar="ADDRESS", help="A Ray cluster [this machine].")
@notify_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
def command(study_dir: Path, *, trials: int | None, ray_address: str | None, notify: str | None, as_json: bool) -> None:
    """Resume and show what came out."""
    from automl.cli.summary import print_summary  # noqa: PLC0415 - rich, only when something is shown
    from automl.resume import resume_study  # noqa: PLC0415 - the heavy part starts here

    root = study_dir.expanduser().absolute()
    resume_study(root, trials=trials, ray_address=ray_address, extra_trackers=progress_and_notification(notify))
    if as_json:
        click.echo(json.dumps(study_document(root), indent=2))
        return
    print_summary(root)
