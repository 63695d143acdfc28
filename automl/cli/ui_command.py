"""`automl ui`: the MLflow comparison of a study, on loopback."""

from __future__ import annotations

import os
from pathlib import Path

import click

from automl.cli.options import results_root
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan


@click.command(
    "ui",
    help="Open MLflow's comparison of a study: the named one, or the latest of a results folder [results/, "
    "AUTOML_RESULTS]. Starts a server on this machine where the record is a file.",
)
@click.argument("place", required=False, type=click.Path(path_type=Path), metavar="[RESULTS|STUDY_DIR]")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def command(place: Path | None, *, port: int, no_browser: bool) -> None:
    """Serve until interrupted."""
    from automl.tracking.mlflow.server import comparison_url, open_when_up, serve, server_url  # noqa: PLC0415 - only here
    from automl.tracking.mlflow.uri import default_tracking_uri, sqlite_file  # noqa: PLC0415 - only here

    root = results_root(place)
    study = root if StudyPaths(root).plan_file.is_file() else _latest(root)
    results = root if study != root or study is None else root.parent
    uri = default_tracking_uri(results) if study is None else read_plan(StudyPaths(study)).mlflow.tracking_uri
    is_file = sqlite_file(uri) is not None
    server = server_url(port) if is_file else uri
    url = server if study is None else comparison_url(server, StudyPaths(study), uri)
    click.echo(f"MLflow for {results}: {server}{' (Ctrl-C ends it)' if is_file else ''}", err=True)
    if study is not None:
        click.echo(f"comparison of {study.name}: {url}", err=True)
    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if not is_file:
        click.launch(url) if has_screen and not no_browser else None
        return
    if has_screen and not no_browser:
        open_when_up(port, url)
    serve(results, port, tracking_uri=uri)


def _latest(results: Path) -> Path | None:
    from automl.storage.overview import study_directories  # noqa: PLC0415 - imported when called

    try:
        found = study_directories(results)
    except OSError:
        return None  # the server says what is missing
    return found[-1] if found else None
