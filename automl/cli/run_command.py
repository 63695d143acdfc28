"""`automl run`: the main job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from automl.cli.options import build_request, notify_option, progress_and_notification, results_root, study_options
from automl.duration import format_duration
from automl.request.location import RunLocation
from automl.storage.study_document import study_document

# Above this estimate a person at a terminal is asked before anything is spent.
_CONFIRM_ABOVE_S = 3600


@click.command("run", help="Search hyperparameters on a study (the demo by default), or train once with --policy off.")
@study_options
@click.option(
    "--study-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The study's folder [a new one in --results].",
)
@click.option("--smoke", is_flag=True, help="Train one step of trial 0 first; if that fails, start no study.")
@click.option("--no-check", is_flag=True, help="Do not check the data by the trainer first (depth_net check).")
@notify_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation of a long study.")
def command(
    *,
    as_json: bool,
    smoke: bool,
    no_check: bool,
    notify: str | None,
    yes: bool,
    **options: Any,  # noqa: ANN401 - click hands over what was declared
) -> int:
    """Plan, confirm, run, and show what came out."""
    from automl.preflight.estimate import earlier_trials, estimate_time  # noqa: PLC0415 - imported when the command is called
    from automl.run import make_plan, run_plan  # noqa: PLC0415 - the heavy part starts here

    request = build_request(options)
    place = RunLocation(
        results=results_root(options["results"]),
        tracking_uri=options["tracking_uri"],
        ray_address=options["ray_address"],
        directory=options["study_dir"].expanduser().absolute() if options["study_dir"] else None,
    )
    plan = make_plan(request, place)
    if not yes and not as_json and sys.stdin.isatty() and sys.stderr.isatty():
        confirm_long_run(estimate_time(plan, earlier_trials(plan, place.results))["seconds"])
    trackers = progress_and_notification(notify)
    directory = run_plan(request, plan, place, is_checked=not no_check, is_smoked=smoke, extra_trackers=trackers)
    if as_json:
        click.echo(json.dumps(study_document(directory), indent=2))
        return 0
    from automl.cli.summary import print_summary  # noqa: PLC0415 - rich, only when something is shown

    print_summary(directory)
    return 0


def confirm_long_run(seconds: float | None) -> None:
    """Ask a person whether to start what is expected to take long.

    Raises:
        click.Abort: the answer is no.
    """
    if seconds is not None and seconds > _CONFIRM_ABOVE_S:
        click.confirm(f"This may take {format_duration(seconds)}. Start?", abort=True, err=True)
