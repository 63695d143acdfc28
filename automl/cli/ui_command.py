"""`automl ui`: the MLflow comparison of a results folder, on loopback."""

from __future__ import annotations

from pathlib import Path

import click

from automl.cli.options import results_root


@click.command("ui", help="Start the MLflow server of a results folder on this machine and say where it is.")
@click.argument("results", required=False, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
def command(results: Path | None, port: int) -> None:
    """Serve until interrupted."""
    from automl.track.server import serve  # noqa: PLC0415 - mlflow, only here

    root = results_root(results)
    click.echo(f"MLflow for {root}: http://127.0.0.1:{port} (Ctrl-C ends it)", err=True)
    serve(root, port)
