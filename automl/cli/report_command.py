"""`automl report`: one self-contained HTML page about a study."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", help="Write one self-contained HTML page about a study, finished or not.")
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write [report.html of the study]."
)
def command(study_dir: Path, output: Path | None) -> None:
    """Write the page and print its path."""
    from automl.report.page import write_report  # noqa: PLC0415 - plotly and scikit-learn, only here

    click.echo(write_report(study_dir.expanduser().absolute(), output=output))
