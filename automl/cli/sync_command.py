"""`automl sync`: upload what MLflow does not have yet."""

from __future__ import annotations

from pathlib import Path

import click

from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan


@click.command("sync", help="Upload what MLflow does not have yet of a study.")
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.option("--tracking-uri", metavar="URI", help="Another server; it gets the whole study.")
def command(study_dir: Path, tracking_uri: str | None) -> None:
    """Upload, and print the server."""
    from automl.tracking.mlflow.tracker import sync  # noqa: PLC0415 - imported when the command is called

    root = study_dir.expanduser().absolute()
    record = read_plan(StudyPaths(root)).mlflow
    uri = tracking_uri or record.tracking_uri
    sync(StudyPaths(root), uri, record.experiment)
    click.echo(f"{uri} has the whole record of {root}")
